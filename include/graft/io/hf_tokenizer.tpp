// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/hf_tokenizer_read.tpp>
#include <graft/io/hf_tokenizer_write.tpp>
