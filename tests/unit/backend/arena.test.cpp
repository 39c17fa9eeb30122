// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/arena.hpp>

#include <graft/backend/reference.hpp>

#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace graft;

TEST_CASE("arena: every view begins on its own 64-byte line and keeps what is written to it") {
  Reference backend;
  Arena<Reference> arena(backend, 4096);
  CHECK(arena.capacity() == 4096);
  auto const a = arena.take<double>(3, 5);
  auto const b = arena.take<float>(1, 1);
  auto const c = arena.take<std::int32_t>(4, 16);
  auto const address = [](auto const& view) { return reinterpret_cast<std::uintptr_t>(view.data); };
  for (auto const at : {address(a), address(b), address(c)}) CHECK(at % 64 == 0);
  CHECK(address(b) - address(a) == 128);
  CHECK(address(c) - address(b) == 64);
  CHECK(arena.mark() == 128 + 64 + 256);
  CHECK(a.rows == 3);
  CHECK(a.cols == 5);
  CHECK(a.contiguous());
  std::fill_n(a.data, 15, 1.5);
  std::fill_n(b.data, 1, 2.5f);
  std::fill_n(c.data, 64, 7);
  CHECK(std::all_of(a.data, a.data + 15, [](double x) { return x == 1.5; }));
  CHECK(b.data[0] == 2.5f);
}

TEST_CASE("arena: a scope gives back what was taken in it, scopes nest, the peak stays") {
  Reference backend;
  Arena<Reference> arena(backend, 1024);
  auto const outer = arena.take<double>(1, 8);
  {
    auto scope = arena.scope();
    auto const first = arena.take<double>(1, 8);
    {
      auto inner = arena.scope();
      (void)arena.take<double>(2, 8);
      CHECK(arena.mark() == 256);
    }
    CHECK(arena.mark() == 128);
    CHECK(arena.take<double>(1, 1).data == first.data + 8);
  }
  CHECK(arena.mark() == 64);
  CHECK(arena.take<double>(1, 1).data == outer.data + 8);
  CHECK(arena.peak() == 256);
  arena.release(0);
  CHECK(arena.take<double>(1, 1).data == outer.data);
  CHECK(arena.peak() == 256);
  arena.reset_peak();
  CHECK(arena.peak() == 0);
  CHECK(arena.mark() == 0);
}

TEST_CASE("arena: what is empty takes nothing; the last byte can be taken, one more is refused with both numbers") {
  Reference backend;
  Arena<Reference> arena(backend, 256);
  CHECK(arena.take<double>(0, 5).empty());
  CHECK(arena.take<double>(5, 0).empty());
  CHECK(arena.mark() == 0);
  {
    auto scope = arena.scope();
    CHECK(arena.take<double>(4, 8).size() == 32);
    CHECK(test::message_of([&] { (void)arena.take<char>(1, 1); }) ==
          "[arena] a step needs more memory than was planned: 320 of 256 bytes; call reserve() with the largest batch before the first step");
  }
  CHECK(arena.take<double>(4, 8).size() == 32);  // the refusal cost nothing for good

  Arena<Reference> none(backend, 0);
  CHECK(none.take<double>(0, 3).empty());
  CHECK(test::message_of([&] { (void)none.take<double>(1, 1); }).starts_with("[arena] a step needs more memory than was planned: 64 of 0 bytes"));
}

TEST_CASE("arena: a workspace takes from it") {
  Reference backend;
  Arena<Reference> arena(backend, 256);
  Workspace<Reference> workspace{backend, arena};
  CHECK(workspace.adapters);
  CHECK_FALSE(workspace.training);
  CHECK(workspace.take<float>(2, 3).size() == 6);
  CHECK(arena.mark() == 64);
}
