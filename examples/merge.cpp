// SPDX-License-Identifier: Apache-2.0
// Merges an adapter into its model and saves a directory that transformers loads:  merge MODEL ADAPTER OUTPUT
#include <graft/graft.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) return std::puts("usage: merge MODEL ADAPTER OUTPUT"), 2;
  auto const model = graft::load_adapted<graft::Llama>(argv[1], argv[2]);
  graft::save_model(model, model.model_files(), argv[3], graft::Storage::bf16);
}
