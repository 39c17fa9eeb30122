// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model_flags.hpp"

#include <graft/adapter/selected.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/io/model_files.hpp>
#include <graft/model/any_transformer.hpp>
#include <graft/text/chat_format.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cli {

using Backend = graft::CpuBackend;
using Model = graft::AnyTransformer<float, Backend, graft::Selected>;

/// A model that is ready to run, with what it needs.
struct Session {
  graft::ModelFiles files;
  std::unique_ptr<Backend> backend;
  std::optional<Model> model;

  [[nodiscard]] graft::Tokenizer const& tokenizer() const { return *files.tokenizer; }
};

/// Opens the files and the backend, without a model yet. Says on standard error what was chosen.
[[nodiscard]] Session open_session(ModelFlags const& flags);
/// The same for a run with its results in directory `output`. What `--precision auto` found fastest when the run began is kept there, in the
/// file `precision`, and used again where the run goes on (`resume`): another measurement could give another arithmetic and so other bits.
[[nodiscard]] Session open_run_session(ModelFlags flags, std::filesystem::path const& output, bool resume);
/// A model on the session's files; all that are built so share the frozen base. `adapter_directory`: a PEFT directory whose weights are read into the adapter, or "".
[[nodiscard]] Model build_model_of(Session const& session, graft::Selected const& adapter, std::string const& adapter_directory);
/// The same as the session's own model, whose place it takes.
void build(Session& session, graft::Selected const& adapter, std::string const& adapter_directory);
/// The same with the adapter of a PEFT directory; "": the base alone.
void build_adapted(Session& session, std::string const& adapter_directory);
/// A reward model as `graft reward` writes it. Error: the adapter has no score head of one score.
[[nodiscard]] Model build_reward_model(Session const& session, std::string const& directory);
/// The same for commands that only use a model, with the adapter of `flags` if there is one.
[[nodiscard]] Session open_model_session(ModelFlags const& flags);

/// The chat format that the flags name, or nothing: then the model's template decides.
[[nodiscard]] std::optional<graft::ChatFormat> chosen_format(ModelFlags const& flags, graft::Tokenizer const& tokenizer);
/// The same, recognised from the template where the flags say nothing.
[[nodiscard]] graft::ChatFormat chat_format(ModelFlags const& flags, graft::Tokenizer const& tokenizer);

/// Tokens that end an answer: the model's end tokens and, in a conversation, the format's end of turn.
[[nodiscard]] std::vector<std::int32_t> stop_ids(Session const& session, graft::ChatFormat const* format);

}  // namespace cli
