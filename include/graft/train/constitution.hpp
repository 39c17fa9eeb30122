// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/rng.hpp>
#include <graft/core/scalar.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace graft {

/// One thing that answers are asked to be, as the three requests that a model is given about it.
struct Principle {
  std::string name;        ///< records name it by this
  std::string critique;    ///< asks what of an answer goes against the principle
  std::string revision;    ///< asks for the answer without that
  std::string preference;  ///< asks which of two answers, A or B, keeps to it better
  friend bool operator==(Principle const&, Principle const&) = default;
};

/// A constitution: the principles that stand in for people's judgements (Bai et al., "Constitutional AI: Harmlessness from AI
/// feedback", 2022). Each critique, revision and comparison is by one of them, drawn at random.
struct Constitution {
  std::string name;
  std::vector<Principle> principles;

  /// The principle of round `round` of record `record`: a function of the three alone, however records are cut into parts.
  [[nodiscard]] Principle const& draw(std::uint64_t seed, Index record, Index round) const {
    require(!principles.empty(), "constitution", "must have at least one principle");
    Rng rng(Philox{seed, 0x636f6e7374}.block(static_cast<std::uint64_t>(record))[0], static_cast<std::uint64_t>(round));
    return principles[rng.below(principles.size())];
  }
};

/// Reads a JSON file {"name": …, "principles": [{"name": …, "critique": …, "revision": …, "preference": …}, …]}, all strings.
/// Errors name file and principle: what is missing, empty, or unknown; a name that stands twice.
[[nodiscard]] Constitution read_constitution(std::filesystem::path const& path);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/constitution.tpp>
#endif
