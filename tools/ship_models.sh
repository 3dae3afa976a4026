#!/bin/sh
# Trains the models that are shipped in model_store/. The 10,000 test images choose nothing in them: the linear models
# hold out the last 10,000 training images, which decide when to stop; mnist-digits is trained on all 60,000, for a
# length that is fixed, and its last weights are published. Remove model_store/ first to make them anew.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export INKLING_DATA_DIR="$scratch" INKLING_STORE_URL=model_store
inkling train --name mnist-softmax --model softmax --train-size 50000 --validation holdout \
  --learning-rate 0.05 --epochs 60 --patience 25
inkling train --name mnist-softmax --model softmax --train-size 20000 --validation test \
  --learning-rate 0.01 --epochs 50 --publish last
inkling train --name mnist-2-vs-3 --model logistic --classes 2,3 --train-size 50000 --validation holdout \
  --learning-rate 0.05 --epochs 60 --patience 25
inkling train --name mnist-digits --hidden-layers 256-128 --train-size all \
  --learning-rate 0.05 --epochs 20 --patience none --checks-per-epoch 1 --publish last
inkling models promote mnist-digits 1
inkling models promote mnist-softmax 2
inkling models promote mnist-2-vs-3 1
