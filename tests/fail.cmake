# SPDX-License-Identifier: Apache-2.0
# fail/*.cpp: programs that must not compile. A line "// expect: REGEX" among the first three says what the compiler must
# print. Each is one CTest entry that runs the compiler with -fsyntax-only.
file(GLOB fail_sources CONFIGURE_DEPENDS fail/*.cpp)
foreach(source IN LISTS fail_sources)
  cmake_path(GET source STEM name)
  add_test(NAME fail.${name} COMMAND ${CMAKE_COMMAND}
    "-DSOURCE=${source}"
    "-DCOMPILER=${CMAKE_CXX_COMPILER}"
    "-DINCLUDES=$<JOIN:$<TARGET_PROPERTY:graft_test_main,INCLUDE_DIRECTORIES>,|>"
    "-DDEFINITIONS=$<JOIN:$<TARGET_PROPERTY:graft_test_main,COMPILE_DEFINITIONS>,|>"
    -P "${CMAKE_CURRENT_SOURCE_DIR}/fail/must_not_compile.cmake")
  set_tests_properties(fail.${name} PROPERTIES LABELS fail TIMEOUT 300)
endforeach()

# The runner itself: a program that compiles, and one that fails for another reason, must both be refused.
foreach(case compiles wrong_reason)
  add_test(NAME fail.runner_refuses_${case} COMMAND ${CMAKE_COMMAND}
    "-DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/fail/runner/${case}.cpp"
    "-DCOMPILER=${CMAKE_CXX_COMPILER}"
    -P "${CMAKE_CURRENT_SOURCE_DIR}/fail/must_not_compile.cmake")
  set_tests_properties(fail.runner_refuses_${case} PROPERTIES LABELS fail TIMEOUT 60)
endforeach()
set_tests_properties(fail.runner_refuses_compiles PROPERTIES PASS_REGULAR_EXPRESSION "compiles, but must not")
set_tests_properties(fail.runner_refuses_wrong_reason PROPERTIES PASS_REGULAR_EXPRESSION "does not print what it should")
