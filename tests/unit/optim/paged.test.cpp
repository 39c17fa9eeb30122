// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/paged.hpp>

#include <graft/optim/adamw.hpp>
#include <graft/optim/adamw8bit.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/lion.hpp>
#include <graft/optim/lion8bit.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/train/peak_rss.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/optimizer_check.hpp>
#include <support/toy_params.hpp>

#include <algorithm>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

/// A parameter of several pieces, the last not whole, and a small one.
void add_large(ToyParams<float>& params) {
  std::vector<float> values(static_cast<std::size_t>(2 * paged_state_piece + 300));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) * 0.01f - 0.4f;
  params.add("large", 100, static_cast<Index>(values.size()) / 100,
             {values.begin(), values.begin() + static_cast<Index>(values.size()) / 100 * 100});
  params.add("small", 1, 7, {1, 2, 3, 4, 5, 6, 7});
}

void set_grads(ToyParams<float>& params, int step) {
  for (std::size_t i = 0; i < 2; ++i) {
    auto values = params.value(i);
    for (std::size_t j = 0; j < values.size(); ++j)
      values[j] = 0.3f * values[j] + static_cast<float>((j + static_cast<std::size_t>(step)) % 13) * 0.02f;
    params.set_grad(i, values);
  }
}

template <class O>
bool same_bits_as_in_memory(O const& spec, std::filesystem::path const& directory) {
  ToyParams<float> one, other;
  add_large(one);
  add_large(other);
  auto plain = bind(spec, one.trainable());
  auto paged = bind(Paged{spec, directory}, other.trainable());
  for (int step = 0; step < 3; ++step) {
    set_grads(one, step);
    set_grads(other, step);
    plain.step(1e-2);
    paged.step(1e-2);
  }
  bool same = one.value(0) == other.value(0) && one.value(1) == other.value(1);
  auto const expected = plain.tensors(), found = paged.tensors();
  for (std::size_t k = 0; k < expected.size(); ++k)
    same = same && expected[k].name == found[k].name && std::ranges::equal(expected[k].codes, found[k].codes) &&
           (!expected[k].codes.empty() || one.read(expected[k].value) == other.read(found[k].value));
  return same;
}

}  // namespace

TEST_CASE("paged: the same bits as in memory, weights and state") {
  TemporaryDirectory folder;
  CHECK(same_bits_as_in_memory(AdamW{.weight_decay = 0.1}, folder.path()));
  CHECK(same_bits_as_in_memory(Lion{.weight_decay = 0.1}, folder.path()));
  CHECK(same_bits_as_in_memory(Sgd{.momentum = 0.9}, folder.path()));
  CHECK(same_bits_as_in_memory(AdamW8bit{.weight_decay = 0.1}, folder.path()));
  CHECK(same_bits_as_in_memory(Lion8bit{}, folder.path()));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("paged: resumes to the bit") {
  TemporaryDirectory folder;
  CHECK(resumes_to_the_bit(Paged{AdamW{}, folder.path()}, 3, 7));
  CHECK(resumes_to_the_bit(Paged{Lion8bit{.min_8bit_size = 8}, folder.path()}, 3, 7));
}

TEST_CASE("paged: after a step a piece of the state is in memory at most") {
  TemporaryDirectory folder;
  ToyParams<float> params;
  Index const n = 8 * paged_state_piece;
  params.add("w", 8, paged_state_piece, std::vector<float>(static_cast<std::size_t>(n), 1.0f));
  Index const before = resident_bytes();
  auto paged = bind(Paged{AdamW{}, folder.path()}, params.trainable());
  for (int step = 0; step < 2; ++step) paged.step(1e-2);
  CHECK(paged.state().bytes() == static_cast<std::size_t>(8 * n));
  CHECK(resident_bytes() - before < 4 * n / 2);  // of 8·n
}

TEST_CASE("paged: what is refused") {
  ToyParams<float> params;
  params.add("w", 1, 1, {1});
  CHECK(message_of([&] {
          (void)bind(Paged{AdamW{}, ""}, params.trainable());
        }) == "[pages] a paged optimizer needs a directory for its state");
  CHECK(message_of([&] {
          (void)bind(Paged{AdamW{}, "no/such"}, params.trainable());
        }) == "[pages] cannot make a file in no/such: No such file or directory");
}
