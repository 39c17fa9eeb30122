// SPDX-License-Identifier: Apache-2.0
#include "stages.hpp"

#include <graft/core/error.hpp>
#include <graft/data/fingerprint.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/train/peak_rss.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

namespace cli {

namespace fs = std::filesystem;

/// FNV-1a of a file.
static std::uint64_t fingerprint_of_file(fs::path const& path) {
  std::ifstream file(path, std::ios::binary);
  graft::require(file.good(), "stage", "cannot read ", path.string());
  graft::Fingerprint fingerprint;
  for (auto byte = std::istreambuf_iterator<char>(file); byte != std::istreambuf_iterator<char>(); ++byte)
    fingerprint.mix(graft::Index{static_cast<unsigned char>(*byte)});
  return fingerprint.value();
}

Stages::Stages(fs::path output, std::string until) : output_(std::move(output)), until_(std::move(until)) {
  fs::create_directories(output_ / "stages");
}

bool Stages::finished(std::string const& name) const { return fs::exists(output_ / "stages" / (name + ".json")); }

StageRecord const* Stages::find(std::string const& name) const {
  for (auto const& stage : done_)
    if (stage.name == name) return &stage;
  return nullptr;
}

bool Stages::run(std::string const& name, fs::path const& input, std::function<void(bool)> const& work) {
  auto const marker = output_ / "stages" / (name + ".json"), begun = output_ / "stages" / (name + ".begun");
  StageRecord stage{.name = name, .input = input.empty() ? 0 : fingerprint_of_file(input)};
  if (fs::exists(marker)) {
    std::ifstream file(marker);
    auto const json = nlohmann::json::parse(file, nullptr, false);
    graft::require(json.is_object() && json.contains("seconds") && json.contains("peak_bytes") && json.contains("resumed") && json.contains("input"),
                   "stage", marker.string(), " is no record of a stage: remove it to do the stage again");
    auto const before = json["input"].get<std::uint64_t>();
    graft::require(before == stage.input, "stage", name, " was done with another ", input.string(), ": remove ", (output_ / name).string(),
                   " and ", marker.string(), " to do it again, and what follows from it");
    stage.seconds = json["seconds"].get<double>();
    stage.peak_bytes = json["peak_bytes"].get<graft::Index>();
    stage.resumed = json["resumed"].get<bool>();
    std::cerr << "== " << name << ": done before\n";
  } else {
    stage.resumed = fs::exists(begun);
    std::cerr << "== " << name << (stage.resumed ? ": goes on\n" : "\n");
    graft::write_atomically(begun, std::string_view("\n"));
    graft::reset_peak_rss();
    auto const start = std::chrono::steady_clock::now();
    work(stage.resumed);
    stage.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    stage.peak_bytes = graft::peak_rss_bytes();
    nlohmann::ordered_json const json{{"stage", name}, {"seconds", stage.seconds}, {"peak_bytes", stage.peak_bytes}, {"resumed", stage.resumed}, {"input", stage.input}};
    graft::write_atomically(marker, json.dump(2) + "\n");
    fs::remove(begun);
  }
  done_.push_back(stage);
  return name != until_;
}

}  // namespace cli
