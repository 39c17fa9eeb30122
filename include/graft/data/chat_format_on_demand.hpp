// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/tokenizer.hpp>

#include <optional>
#include <utility>

namespace graft {

/// The chat format of a data set: the one that was given, else that of the tokenizer's template, recognised when the first
/// conversation comes, so that files of plain text need none.
class ChatFormatOnDemand {
 public:
  ChatFormatOnDemand(Tokenizer const& tokenizer, std::optional<ChatFormat> given)
      : tokenizer_(&tokenizer), format_(std::move(given)) {}

  /// The format if a conversation needs it, else what is known so far, which may be nothing (null).
  /// Error: the template is none that we know; the same each time, without looking again.
  [[nodiscard]] ChatFormat const* get(bool needed) {
    if (needed && !format_) {
      if (unknown_) throw *unknown_;
      try {
        format_ = ChatFormat::recognise(tokenizer_->spec());
      } catch (Error const& error) {
        unknown_ = error;
        throw;
      }
    }
    return format_ ? &*format_ : nullptr;
  }

 private:
  Tokenizer const* tokenizer_;
  std::optional<ChatFormat> format_;
  std::optional<Error> unknown_;
};

}  // namespace graft
