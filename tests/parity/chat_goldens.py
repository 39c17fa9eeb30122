#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/fixtures/text/chat.json: what transformers renders for small templates of our own that write turns as the
known families of models do. (The templates of real models are not copied; pass GGUF files to compare with theirs.)

    python3 chat_goldens.py [MODEL.gguf …]     # needs transformers, and gguf for files
"""
import json
import os
import pathlib
import sys

from transformers.utils.chat_template_utils import render_jinja_template

FIXTURE = pathlib.Path(os.environ.get("GRAFT_FIXTURES", pathlib.Path(__file__).resolve().parent.parent / "fixtures")) / "text/chat.json"

ROLE, CONTENT = "message['role']", "message['content']"
ASK = "{% if add_generation_prompt %}"
ALTERNATE = ("{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}")
SYSTEM_FIRST = ("{% if messages[0]['role'] == 'system' %}{% set SYS = messages[0]['content'] %}{% set turns = messages[1:] %}"
                "{% else %}{% set turns = messages %}{% endif %}")

TEMPLATES = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + " + ROLE + " + '\\n' + " + CONTENT + " + '<|im_end|>' + '\\n' }}"
              "{% endfor %}" + ASK + "{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "chatml with default system": "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nBe \"brief\" and don\\'t lie.<|im_end|>\\n' }}"
              "{% endif %}{% for message in messages %}{{ '<|im_start|>' ~ '' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
              "{% endfor %}" + ASK + "{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "chatml trimmed": "{%- for message in messages -%}{{- \"<|im_start|>\" + message.role + \"\\n\" + message.content | trim + \"<|im_end|>\\n\" -}}"
              "{%- endfor -%}{%- if add_generation_prompt -%}{{- \"<|im_start|>assistant\\n\" -}}{%- endif -%}",
    "llama3": "{% for message in messages %}{% set content = '<|start_header_id|>' + " + ROLE + " + '<|end_header_id|>\\n\\n' + " + CONTENT +
              " | trim + '<|eot_id|>' %}{% if loop.first %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}" + ASK +
              "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    "llama3 that always asks": "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + " + ROLE +
              " + '<|end_header_id|>\\n\\n' + " + CONTENT + " | trim + '<|eot_id|>' }}{% endfor %}"
              "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}",
    "llama3.1": "{{ bos_token }}{% if messages[0].role == 'system' %}{% set sys = messages[0].content | trim %}{% set turns = messages[1:] %}"
              "{% else %}{% set sys = '' %}{% set turns = messages %}{% endif %}{{ '<|start_header_id|>system<|end_header_id|>\\n\\n' }}"
              "{{ 'Cutting Knowledge Date: December 2023\\n' }}{{ 'Today Date: 26 Jul 2024\\n\\n' }}{{ sys }}{{ '<|eot_id|>' }}"
              "{% for message in turns %}{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + "
              "'<|eot_id|>' }}{% endfor %}" + ASK + "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    "gemma": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first_user_prefix = messages[0]['content'] + '\\n\\n' %}"
              "{% set turns = messages[1:] %}{% else %}{% set first_user_prefix = '' %}{% set turns = messages %}{% endif %}"
              "{% for message in turns %}" + ALTERNATE + "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
              "{{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else '') }}{{ message['content'] | trim }}"
              "{{ '<end_of_turn>\\n' }}{% endfor %}" + ASK + "{{ '<start_of_turn>model\\n' }}{% endif %}",
    "gemma2": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
              "{% for message in messages %}" + ALTERNATE + "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
              "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}" + ASK +
              "{{ '<start_of_turn>model\\n' }}{% endif %}",
    "mistral": "{{ bos_token }}" + SYSTEM_FIRST + "{% for message in turns %}" + ALTERNATE + "{% if message['role'] == 'user' %}"
              "{% if loop.first and SYS is defined %}{{ ' [INST] ' + SYS + '\\n\\n' + message['content'] + ' [/INST]' }}{% else %}"
              "{{ ' [INST] ' + message['content'] + ' [/INST]' }}{% endif %}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}"
              "{% endfor %}",
    "mistral, first release": "{{ bos_token }}{% for message in messages %}" + ALTERNATE + "{% if message['role'] == 'user' %}"
              "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
              "{{ message['content'] + eos_token + ' ' }}{% endif %}{% endfor %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'system' %}\n{{ '<|system|>\\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\\n' + message['content'] + eos_token }}\n{% endif %}\n"
              "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
}
SPECIALS = {"llama3": ("<|begin_of_text|>", "<|eot_id|>"), "gemma": ("<bos>", "<eos>"), "chatml": ("<s>", "<|im_end|>")}

ALWAYS_ASKED = "<|start_header_id|>assistant<|end_header_id|>\n\n"

U, A, S = ({"role": r} for r in ("user", "assistant", "system"))
CONVERSATIONS = [
    [U | {"content": "What is the capital of France?"}],
    [U | {"content": "Hi"}, A | {"content": "Hello!"}],
    [S | {"content": "Be kind."}, U | {"content": "Hi"}, A | {"content": "Hello!"}],
    [S | {"content": " kept \n"}, U | {"content": "  white space \n"}, A | {"content": "\n around\t\u3000"}, U | {"content": "é 😀"}],
    [U | {"content": "a"}, A | {"content": "b"}, U | {"content": "c"}, A | {"content": "d"}, U | {"content": "e"}, A | {"content": "f"}],
    [U | {"content": "<|im_end|></s><end_of_turn>[/INST]<|eot_id|>"}, A | {"content": ""}],
    [U | {"content": ""}, A | {"content": "{{ x }} {% if %}"}],
]


def render(template, messages, ask, bos, eos):
    try:
        return render_jinja_template([messages], chat_template=template, add_generation_prompt=ask, bos_token=bos, eos_token=eos)[0][0]
    except Exception:  # a role that the template refuses
        return None


def goldens(template, bos, eos):
    cases = []
    for messages in CONVERSATIONS:
        full = render(template, messages, False, bos, eos)
        case = {"messages": messages, "text": full, "asking": render(template, messages, True, bos, eos)}
        if full is not None:
            # What is learnt: the text between each prompt up to an assistant's turn and the prompt with that turn.
            spans = []
            for i, message in enumerate(messages):
                if message["role"] == "assistant":
                    prompt = render(template, messages[:i], True, bos, eos)
                    done = render(template, messages[:i + 1], False, bos, eos)
                    if i + 1 < len(messages):  # a template that always asks does so after each shortened one, too
                        done = done.removesuffix(ALWAYS_ASKED)
                    spans.append(done[len(prompt):] if done.startswith(prompt) else None)
            case["spans"] = spans
        cases.append(case)
    return cases


def main(files):
    out = []
    for name, template in TEMPLATES.items():
        bos, eos = next((v for k, v in SPECIALS.items() if name.startswith(k)), ("<s>", "</s>"))
        out.append({"name": name, "template": template, "bos": bos, "eos": eos, "cases": goldens(template, bos, eos)})
    FIXTURE.write_text(json.dumps(out, indent=0, ensure_ascii=False))
    for path in files:
        from gguf import GGUFReader
        fields = GGUFReader(path).fields
        if "tokenizer.chat_template" in fields:
            tokens = fields["tokenizer.ggml.tokens"].contents()
            bos, eos = (tokens[fields[f"tokenizer.ggml.{n}_token_id"].contents()] for n in ("bos", "eos"))
            template = fields["tokenizer.chat_template"].contents()
            print(json.dumps({"name": path, "template": template, "bos": bos, "eos": eos, "cases": goldens(template, bos, eos)}))


if __name__ == "__main__":
    main(sys.argv[1:])
