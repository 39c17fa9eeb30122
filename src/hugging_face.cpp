// SPDX-License-Identifier: Apache-2.0
#include <graft/io/hf_config_read.tpp>
#include <graft/io/hf_config_write.tpp>
#include <graft/io/hf_tokenizer.tpp>
#include <graft/io/hf_tokenizer_read.tpp>
#include <graft/io/hf_tokenizer_write.tpp>
#include <graft/io/model_files.tpp>
#include <graft/io/peft.tpp>
#include <graft/io/peft_config.tpp>
