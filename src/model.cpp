// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/lora.tpp>
#include <graft/loss/cross_entropy.tpp>
#include <graft/model/config.tpp>
#include <graft/model/layer_stream.tpp>
#include <graft/model/rope_frequencies.tpp>
#include <graft/model/sampling.tpp>
