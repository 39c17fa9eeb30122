// SPDX-License-Identifier: Apache-2.0
#pragma once

// Forward declarations, for headers that only name graft's types. Nothing else belongs here.
#include <graft/core/scalar.hpp>

namespace graft {

template <class T>
struct MatrixView;
template <Scalar T>
struct Param;
template <Scalar T, class B>
struct Trainable;
template <class B>
class Arena;
template <class B>
struct Workspace;

class Reference;
class EigenBackend;
class OneDnn;
class Dry;

struct Lora;
struct FullFineTune;
struct Frozen;
struct Selected;

struct Llama;
struct Qwen2;
struct Qwen3;
struct Gemma3;

struct ModelConfig;
struct TokenBatch;
struct TokenStats;
struct LossReport;
struct CrossEntropy;
struct RewardBatch;
struct BradleyTerry;
struct PlackettLuce;

struct AdamW;
struct Sgd;
struct Lion;

class Tokenizer;
class ChatFormat;
class ChatData;
class Dataset;
class RewardData;
class RewardDataset;
struct ModelFiles;

template <class Arch, Scalar T, class B, class A>
class Transformer;
template <Scalar T, class B, class A>
class AnyTransformer;
template <class Arch, Scalar T, class B, class A>
class LanguageModel;

}  // namespace graft
