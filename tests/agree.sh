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
for file in bench/*.nn; do
    case $file in  # what is too large for the interpreter, made small
    */w4.nn) small="-Dside=8 -Dblocks=1" ;;
    */w6.nn | */w6b.nn) small="-Dlayers=1 -Dheads=2 -Dwidth=16 -Dblock=8 -Drows=3" ;;
    */w7.nn) small="-Dside=8" ;;
    *) small= ;;
    esac
    # shellcheck disable=SC2086
    "$build/agree" --work=$work --suite=agree/bench $small "$file"
done
"$build/agree" --work=$work --suite=agree/train tests/train/reference/*.nn
