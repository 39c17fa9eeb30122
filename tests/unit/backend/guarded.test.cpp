// SPDX-License-Identifier: Apache-2.0
#include "support/guarded.hpp"

#include <graft/backend/eigen.hpp>

#include "support/agreement/all.hpp"

#include <csignal>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

namespace graft::test {

static_assert(Backend<Guarded<EigenBackend>, float> && Backend<Guarded<EigenBackend>, double>);
static_assert(Backend<Guarded<Reference>, float> && Backend<Guarded<Reference>, double>);

/// True if `f` ends its process by a signal or an error report: run in a child.
template <class F>
bool dies(F&& f) {
  pid_t const child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // no report of doctest's
    fclose(stderr);
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_CASE("guarded: memory cannot be touched outside the backend's operations, nor past its end within them") {
  Guarded<Reference> backend;
  for (std::size_t const bytes : {std::size_t{0}, std::size_t{1}, std::size_t{64}, std::size_t{5000}}) {
    auto const memory = backend.allocate(bytes);
    REQUIRE(memory.data() != nullptr);
    auto* const at = static_cast<char volatile*>(memory.data());
    CHECK(dies([&] { static_cast<void>(*at); }));
    CHECK(dies([&] { *at = 1; }));
    CHECK(dies([&] { backend.zero(memory.data(), (bytes + 63) / 64 * 64 + 1); }));
    CHECK_FALSE(dies([&] { backend.zero(memory.data(), bytes); }));
  }
}

TEST_CASE("guarded: what was moved or freed is gone, and what lives keeps its content") {
  Guarded<Reference> backend;
  auto memory = backend.allocate(4);
  float const value = 3;
  backend.upload(&value, memory.data(), sizeof value);
  { auto const other = backend.allocate(4); }
  auto moved = std::move(memory);
  memory = backend.allocate(8);
  float read = 0;
  backend.download(moved.data(), &read, sizeof read);
  CHECK(read == value);
  void* const old = moved.data();
  moved = Guarded<Reference>::Memory();
  CHECK(dies([&] { backend.zero(old, 4); }));
}

TEST_CASE("guarded: every operation agrees with the reference") {
  Guarded<EigenBackend> backend;
  everything_agrees<float>(backend, {.steady = false});
}

}  // namespace graft::test
