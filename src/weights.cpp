// SPDX-License-Identifier: Apache-2.0
#include <graft/io/atomic_directory.tpp>
#include <graft/io/atomic_file.tpp>
#include <graft/io/bitsandbytes.tpp>
#include <graft/io/gguf.tpp>
#include <graft/io/gguf_config.tpp>
#include <graft/io/gguf_tokenizer.tpp>
#include <graft/io/gguf_writer.tpp>
#include <graft/io/safetensors.tpp>
#include <graft/io/safetensors_writer.tpp>
#include <graft/io/sharded_safetensors.tpp>
#include <graft/io/weight_source.tpp>
