#!/bin/sh
# Trains the models that are shipped in model_store/. They hold out the last 10,000 training images for validation,
# so that the 10,000 test images stay untouched. Remove model_store/ first to make them anew.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export INKLING_DATA_DIR="$scratch" INKLING_STORE_URL=model_store
inkling train --name mnist-softmax --model softmax --train-size 50000 --validation holdout \
  --learning-rate 0.05 --epochs 60 --patience 25
inkling train --name mnist-2-vs-3 --model logistic --classes 2,3 --train-size 50000 --validation holdout \
  --learning-rate 0.05 --epochs 60 --patience 25
inkling models promote mnist-softmax 1
inkling models promote mnist-2-vs-3 1
