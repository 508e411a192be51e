#!/bin/sh
# Stand-in for the HIP compiler: the machine's own compiler, without the options that only clang knows.
drop=
for argument do
    shift
    case $drop in
    language) drop=; [ "$argument" = hip ] && argument=c++; set -- "$@" -x "$argument"; continue ;;
    next) drop=; continue ;;
    esac
    case $argument in
    -x) drop=language ;;
    -mllvm | -target | -Xclang) drop=next ;;
    --offload-arch=* | --rocm-path=* | --rocm-device-lib-path=* | --hip-*  | -cuid=* | -fuse-cuid=*) ;;
    -fgpu-* | -fno-gpu-* | -fhip-* | -fuse-ld=* | --target=* | --offload-*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
exec /usr/bin/@COMPILER@ "$@"
