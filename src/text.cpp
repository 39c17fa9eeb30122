// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/module_pattern.tpp>
#include <graft/adapter/target_modules.tpp>
#include <graft/text/chat_format.tpp>
#include <graft/text/chat_template.tpp>
#include <graft/text/encode_chat.tpp>
#include <graft/text/tokenizer.tpp>
#include <graft/text/tool_format.tpp>
