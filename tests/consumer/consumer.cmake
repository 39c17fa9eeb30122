# SPDX-License-Identifier: Apache-2.0
# consumer/: each way to use graft from outside is a project of its own, configured, built and run by one CTest entry.
set(consumer_dir "${CMAKE_CURRENT_SOURCE_DIR}/consumer")
set(consumer_build "${CMAKE_CURRENT_BINARY_DIR}/consumer")

# graft_consumer_test(NAME cache entries…)
function(graft_consumer_test name)
  add_test(NAME consumer.${name} COMMAND ${CMAKE_COMMAND}
    "-DSOURCE=${consumer_dir}/${name}"
    "-DBUILD=${consumer_build}/${name}"
    "-DGENERATOR=${CMAKE_GENERATOR}"
    "-DENTRIES=-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}|-DGRAFT_SOURCE_DIR=${PROJECT_SOURCE_DIR}|$<JOIN:${ARGN},|>"
    -P "${consumer_dir}/run.cmake")
  set_tests_properties(consumer.${name} PROPERTIES LABELS consumer TIMEOUT 600)
  if(GRAFT_CCACHE_PROGRAM)
    set_tests_properties(consumer.${name} PROPERTIES ENVIRONMENT "CMAKE_CXX_COMPILER_LAUNCHER=${GRAFT_CCACHE_PROGRAM}")
  endif()
endfunction()

if(GRAFT_INSTALL)
  set(prefix "${consumer_build}/prefix")
  add_test(NAME consumer.install COMMAND ${CMAKE_COMMAND} --install "${PROJECT_BINARY_DIR}" --prefix "${prefix}")
  set_tests_properties(consumer.install PROPERTIES LABELS consumer FIXTURES_SETUP graft_installed)
  graft_consumer_test(find_package "-DCMAKE_PREFIX_PATH=${prefix}" "-DHAS_COMPILED=${GRAFT_BUILD_COMPILED}")
  set_tests_properties(consumer.find_package PROPERTIES FIXTURES_REQUIRED graft_installed)
  find_program(GRAFT_PKG_CONFIG NAMES pkg-config pkgconf)
  mark_as_advanced(GRAFT_PKG_CONFIG)
  if(GRAFT_PKG_CONFIG)
    graft_consumer_test(pkg_config "-DGRAFT_PREFIX=${prefix}" "-DPKG_CONFIG=${GRAFT_PKG_CONFIG}")
    set_tests_properties(consumer.pkg_config PROPERTIES FIXTURES_REQUIRED graft_installed)
  endif()
endif()
graft_consumer_test(add_subdirectory)
graft_consumer_test(fetch_content)
