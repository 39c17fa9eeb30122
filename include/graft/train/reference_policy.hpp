// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/batch_plan.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>
#include <graft/loss/preference/preference_batch.hpp>
#include <graft/model/transformer.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace graft {

/// Which model is the reference of a policy.
enum class ReferenceKind {
  initial,  ///< the policy as it was when the reference was made: TRL's choice. A new adapter's is the base
  base      ///< the base, with the adapter off
};

/// Log-probabilities of the reference, from the policy's own resident model: with its adapter off, or with the values that
/// its parameters had at first, which are kept (as large as what is trained) and put in for the pass. Dropout is off.
template <class Model>
class ReferencePolicy {
 public:
  using T = typename Model::ScalarType;

  /// Made before the first step, and before a checkpoint is read. Under `initial`, `fresh` says that the parameters change
  /// nothing yet, as those of a new adapter: then nothing is kept, and the adapter off is the same. The model is held by reference.
  ReferencePolicy(Model& model, ReferenceKind kind, bool fresh) : model_(&model), swaps_(kind == ReferenceKind::initial && !fresh) {
    if (!swaps_) return;
    auto const& trainable = model.trainable();
    for (auto const& param : trainable.params) {
      kept_.emplace_back(static_cast<std::size_t>(param.value.size()));
      trainable.backend->download(param.value.data, kept_.back().data(), kept_.back().size() * sizeof(T));
    }
  }

  /// Fills `reference_logprobs` of a step's batches: from what was precomputed, if it was, else by a pass.
  template <std::derived_from<PreferenceBatch> Batch>
  void fill(std::span<Batch> step) {
    for (auto& batch : step) {
      if (places_.empty())
        compute(batch);
      else
        look_up(batch);
    }
  }
  /// The same by a pass in any case.
  void compute(PreferenceBatch& batch) {
    batch.reference_logprobs.clear();
    during([&](bool adapters) {
      for (auto const& token : model_->forward(batch, {.adapters = adapters}))
        batch.reference_logprobs.push_back(static_cast<float>(token.target_logprob));
    });
  }

  /// Calls f(adapters) while the model is the reference; `adapters` says whether a pass has its adapter act.
  template <class F>
  void during(F&& f) {
    if (swaps_) exchange();
    f(swaps_);
    if (swaps_) exchange();
  }

  /// Computes the log-probabilities of a whole data set, or reads them from `cache` if that holds this data's of this model;
  /// else the file is written. "" keeps them in memory alone. Returns whether they were read.
  template <BatchSource Data>
  bool precompute(Data const& data, std::filesystem::path const& cache = {}) {
    std::string const key = cache.empty() ? "" : key_of(data.fingerprint());
    std::map<Index, std::size_t> places;
    std::size_t predictions = 0;
    for_each_batch(data, [&](auto const& batch) {
      for (std::size_t s = 0; s < batch.records.size(); ++s)
        places.try_emplace(batch.records[s], predictions + static_cast<std::size_t>(batch.cu_predictions[s]));
      predictions += batch.rows.size();
    });
    std::vector<float> all;
    bool const found = !cache.empty() && read(cache, key, predictions, all);
    if (!found) {
      for_each_batch(data, [&](auto& batch) {
        compute(batch);
        all.insert(all.end(), batch.reference_logprobs.begin(), batch.reference_logprobs.end());
      });
      if (!cache.empty()) write(cache, key, all);
    }
    logprobs_ = std::move(all);
    places_ = std::move(places);
    return found;
  }

 private:
  static constexpr Index tokens_per_pass = 2048;

  void exchange() {
    auto const& trainable = model_->trainable();
    for (std::size_t p = 0; p < kept_.size(); ++p) {
      auto const& value = trainable.params[p].value;
      auto const bytes = kept_[p].size() * sizeof(T);
      spare_.resize(kept_[p].size());
      trainable.backend->download(value.data, spare_.data(), bytes);
      trainable.backend->upload(kept_[p].data(), value.data, bytes);
      std::swap(kept_[p], spare_);
    }
  }

  /// Calls f with the records of a data set in their order, as batches of about `tokens_per_pass` tokens.
  template <class Data, class F>
  static void for_each_batch(Data const& data, F&& f) {
    typename Data::Batch batch;
    for (Index i = 0; i < data.size();) {
      batch.clear();
      do append_example(batch, data[i++]);
      while (i < data.size() && batch.tokens() + data[i].tokens() <= tokens_per_pass);
      f(batch);
    }
  }

  void look_up(PreferenceBatch& batch) const {
    batch.reference_logprobs.clear();
    std::size_t at = 0;
    for (std::size_t s = 0; s < batch.records.size(); ++s) {
      if (s == 0 || batch.records[s] != batch.records[s - 1]) {  // the answers of one record lie together
        auto const place = places_.find(batch.records[s]);
        require(place != places_.end(), "reference", "record ", batch.records[s], " is not of the data that was precomputed");
        at = place->second;
      }
      auto const count = static_cast<std::size_t>(batch.predictions(static_cast<Index>(s)));
      auto const first = logprobs_.begin() + static_cast<std::ptrdiff_t>(at);
      batch.reference_logprobs.insert(batch.reference_logprobs.end(), first, first + static_cast<std::ptrdiff_t>(count));
      at += count;
    }
  }

  /// Of the data and of all weights, as this backend computes with them.
  [[nodiscard]] std::string key_of(std::uint64_t hash) const {
    auto const mix = [&](std::vector<T> const& values) {
      std::uint64_t word = 0;
      for (T const& value : values) {
        std::memcpy(&word, &value, std::min(sizeof(T), sizeof(word)));
        hash = (hash ^ word) * 0x100000001b3u;
      }
    };
    std::vector<T> host;
    auto const weights = model_->weights();
    for (std::size_t w = 0; w < weights.size(); ++w) {
      Index size = 1;
      for (Index const n : weights[w].shape) size *= n;
      host.resize(static_cast<std::size_t>(size));
      model_->download_weight(w, false, host);
      mix(host);
    }
    for (auto const& values : kept_) mix(values);
    std::ostringstream key;
    key << std::hex << hash;
    if constexpr (requires { model_->backend().description(); }) key << ' ' << model_->backend().description();
    return key.str();
  }

  [[nodiscard]] static bool read(std::filesystem::path const& cache, std::string const& key, std::size_t predictions,
                                 std::vector<float>& all) {
    if (!std::filesystem::exists(cache)) return false;
    SafetensorsFile const file(cache);
    auto const owner = file.metadata().find("reference");
    auto const* tensor = file.find("logprobs");
    if (owner == file.metadata().end() || owner->second != key || tensor == nullptr) return false;
    require(tensor->dtype == "F32" && tensor->bytes.size() == predictions * sizeof(float), "reference",
            cache.string(), " must have ", predictions, " F32 log-probabilities: remove the file");
    all.resize(tensor->bytes.size() / sizeof(float));
    std::memcpy(all.data(), tensor->bytes.data(), tensor->bytes.size());
    return true;
  }
  static void write(std::filesystem::path const& cache, std::string const& key, std::vector<float> const& all) {
    TensorToWrite const tensor{"logprobs", "F32", {static_cast<Index>(all.size())}, std::as_bytes(std::span(all))};
    write_safetensors(cache, std::span(&tensor, 1), {{"reference", key}});
  }

  Model* model_;
  bool swaps_;
  std::vector<std::vector<T>> kept_;
  std::vector<T> spare_;
  std::vector<float> logprobs_;           // precomputed: of all records
  std::map<Index, std::size_t> places_;   // where those of a record begin
};

}  // namespace graft
