#!/bin/bash
# standin.sh FOLDER [PYTHON]: makes a root file system in FOLDER that can stand in for the image python:X.Y-slim.
#
# For machines that reach Debian's packages but no image registry. It is Debian's minimal system, as this machine's
# apt sources describe it, with a copy of PYTHON (python3) and of what apt and pip need to work from inside.
set -eu
folder=$1
prefix=$("${2:-python3}" -c 'import sys; print(sys.base_prefix)')
version=$("$prefix/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
packages=ca-certificates,netbase,tzdata
if [ "$prefix" = /usr ]; then # Debian's own, which only its packages can install
    packages=$packages,python3,python3-pip,python3-venv
else
    packages=$packages,libsqlite3-0,libffi8,libbz2-1.0,libreadline8,libexpat1,libuuid1,libncursesw6,libgdbm6,libnsl2
fi
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
sources=/etc/apt/sources.list.d/debian.sources
[ -e "$sources" ] || sources=/etc/apt/sources.list
certificates=/etc/ssl/certs/ca-certificates.crt

rm -rf "$folder"
mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io --include="$packages" "$codename" "$folder" "$sources"
cp /etc/apt/apt.conf.d/99* "$folder/etc/apt/apt.conf.d/" 2>/dev/null || true
cp "$certificates" "$folder$certificates"
printf '[global]\ncert = %s\n' "$certificates" > "$folder/etc/pip.conf"

if [ "$prefix" = /usr ]; then
    rm -f "$folder/usr/lib/python$version/EXTERNALLY-MANAGED" # as in the real image, pip may install
    ln -sf "/usr/bin/python$version" "$folder/usr/local/bin/python3"
else
    (cd "$prefix" && find "bin/python$version" bin/python3 "lib/python$version" include \
        "lib/libpython$version.so.1.0" -not -path '*/__pycache__*' -not -path '*/test/*' -not -path '*/site-packages/*' \
        -not -name '*.a' -not -type d -print0 2>/dev/null | tar -c --null --files-from - ) |
        tar -C "$folder/usr/local" -x --no-same-owner
    chroot "$folder" ldconfig
    chroot "$folder" python3 -m ensurepip --default-pip >/dev/null 2>&1
    chroot "$folder" python3 -m compileall -q "/usr/local/lib/python$version" >/dev/null 2>&1 || true
fi
ln -sf python3 "$folder/usr/local/bin/python"
rm -rf "$folder"/var/lib/apt/lists/* "$folder"/usr/share/doc "$folder"/usr/share/man "$folder"/usr/share/locale
