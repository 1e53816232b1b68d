# build [--release|--asan|--tsan]: compiles the program and its tests.
#
#   --release   build/        optimised, assertions on (default)
#   --asan      build-asan/   with AddressSanitizer and UndefinedBehaviorSanitizer
#   --tsan      build-tsan/   with ThreadSanitizer
source tools/dev/compile.sh

kind=release
case ${1:---release} in
--release | --asan | --tsan) kind=${1:---release} && kind=${kind#--} ;;
*) die -2 "build: unknown argument: $1 (try --help)" ;;
esac
need build
compile "$kind"
