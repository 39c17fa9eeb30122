// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything, for examples and first steps. Larger programs include what they use: it compiles sooner.
#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/data/chat_data.hpp>
#include <graft/data/reward_data.hpp>
#include <graft/io/load.hpp>
#include <graft/io/peft.hpp>
#include <graft/io/save_model.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/loss/reward/bradley_terry.hpp>
#include <graft/loss/reward/plackett_luce.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/generate.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen2.hpp>
#include <graft/model/qwen3.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/clip.hpp>
#include <graft/optim/lion.hpp>
#include <graft/optim/schedule.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/text/encode_chat.hpp>
#include <graft/train/checkpoint.hpp>
#include <graft/train/evaluate.hpp>
#include <graft/train/evaluate_reward.hpp>
#include <graft/train/instantiations.hpp>
#include <graft/train/train.hpp>
#include <graft/train/value_and_grad.hpp>
#include <graft/version.hpp>
