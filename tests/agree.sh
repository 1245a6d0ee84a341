# Compiled programs against the interpreter, bit for bit and to a tolerance (tests/agree/agree.c):
# the examples, the benchmarks, the networks of the other suites, and programs that combine what
# those do not. The suites `grad`, `library` and `values` do the same with the programs that
# they write.
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
work=3e7 large=1e8  # 3e7: one step of LeNet-5 at three rows
case $build in *asan*) work=3e6 large=3e6 ;; esac

"$build/agree" --work=$work examples/*.nn
"$build/agree" --work=$work --suite=agree/lang tests/lang/valid/*.nn
"$build/agree" --work=$work --suite=agree/programs tests/agree/programs/*.nn
"$build/agree" --work=$large --suite=agree/large tests/agree/large/*.nn
"$build/agree" --work=$work --suite=agree/bench bench/*.nn
"$build/agree" --work=$work --suite=agree/train tests/train/reference/*.nn
