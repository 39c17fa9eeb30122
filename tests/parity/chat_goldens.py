#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/fixtures/text/chat.json: what transformers renders for small templates of our own that write turns as the
known families of models do. (The templates of real models are not copied; pass GGUF files to compare with theirs.)

    python3 chat_goldens.py [MODEL.gguf …]     # needs transformers, and gguf for files
    python3 chat_goldens.py --trl > FILE       # templates of real models that TRL's package has: for GRAFT_CHAT_GOLDENS, see chat.test.cpp
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

# Turns, calls and results are written as Qwen 2.5, Qwen 3 and Llama 3.1 do; the sentences around the list of tools are our own.
HERMES_CALLS = ("{% for call in message.tool_calls %}{% if call.function is defined %}{% set call = call.function %}{% endif %}" "%s"
                "{{ '<tool_call>\n{\"name\": \"' }}{{ call.name }}{{ '\", \"arguments\": ' }}%s{{ '}\n</tool_call>' }}{% endfor %}")
HERMES_RESULTS = ("{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}"
                  "{{ '\n<tool_response>\n' }}{{ message.content }}{{ '\n</tool_response>' }}"
                  "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}")
HERMES_LIST = ("{{ \"%s# Tools\n\nThey stand in <tools></tools>.\n<tools>\" }}{% for tool in tools %}{{ '\n' }}{{ tool | tojson }}{% endfor %}"
               "{{ '\n</tools>\n\nA call is {\"name\": N, \"arguments\": A}.<|im_end|>\n' }}")
CHATML_TURN = "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
TEMPLATES |= {
    "chatml with tools and a default system": "{% if tools %}{{ '<|im_start|>system\n' }}{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% else %}"
              "{{ 'Be brief.' }}{% endif %}" + HERMES_LIST.replace("%s", "\\n\\n") + "{% elif messages[0]['role'] == 'system' %}"
              "{{ '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}{% else %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
              "{% for message in messages %}{% if message.role == 'user' or (message.role == 'system' and not loop.first) or (message.role == 'assistant' and not message.tool_calls) %}"
              + CHATML_TURN + "{% elif message.role == 'assistant' %}{{ '<|im_start|>' + message.role }}{% if message.content %}{{ '\n' + message.content }}{% endif %}"
              + HERMES_CALLS.replace("%s", "{{ '\n' }}", 1).replace("%s", "{{ call.arguments | tojson }}") + "{{ '<|im_end|>\n' }}{% elif message.role == 'tool' %}"
              + HERMES_RESULTS + "{% endif %}{% endfor %}" + ASK + "{{ '<|im_start|>assistant\n' }}{% endif %}",
    "chatml with tools": "{% if tools %}{{ '<|im_start|>system\n' }}{% if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% endif %}"
              + HERMES_LIST.replace("%s", "") + "{% elif messages[0].role == 'system' %}{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% endif %}"
              "{% for message in messages %}{% if message.role == 'user' or (message.role == 'system' and not loop.first) %}" + CHATML_TURN +
              "{% elif message.role == 'assistant' %}{{ '<|im_start|>' + message.role + '\n' + (message.content or '') }}{% if message.tool_calls %}"
              + HERMES_CALLS.replace("%s", "{% if not loop.first or message.content %}{{ '\n' }}{% endif %}", 1).replace(
                  "%s", "{% if call.arguments is string %}{{ call.arguments }}{% else %}{{ call.arguments | tojson }}{% endif %}")
              + "{% endif %}{{ '<|im_end|>\n' }}{% elif message.role == 'tool' %}" + HERMES_RESULTS + "{% endif %}{% endfor %}"
              + ASK + "{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama3.1 with tools": "{{ bos_token }}{% if not tools_in_user_message is defined %}{% set tools_in_user_message = true %}{% endif %}"
              "{% if not tools is defined %}{% set tools = none %}{% endif %}"
              "{% if messages[0].role == 'system' %}{% set sys = messages[0].content | trim %}{% set messages = messages[1:] %}{% else %}{% set sys = '' %}{% endif %}"
              "{{ '<|start_header_id|>system<|end_header_id|>\n\n' }}{% if tools is not none %}{{ 'Environment: ipython\n' }}{% endif %}"
              "{{ 'Cutting Knowledge Date: December 2023\n' }}{{ 'Today Date: 26 Jul 2024\n\n' }}{{ sys }}{{ '<|eot_id|>' }}"
              "{% if tools_in_user_message and not tools is none %}{% set first = messages[0].content | trim %}{% set messages = messages[1:] %}"
              "{{ '<|start_header_id|>user<|end_header_id|>\n\n' }}{{ 'Call ' }}{{ 'what helps.\n\n' }}"
              "{% for t in tools %}{{ t | tojson(indent=4) }}{{ '\n\n' }}{% endfor %}{{ first + '<|eot_id|>' }}{% endif %}"
              "{% for message in messages %}{% if not (message.role == 'tool' or message.tool_calls) %}"
              "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}"
              "{% elif message.tool_calls %}{% if message.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{% endif %}"
              "{% set call = message.tool_calls[0].function %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
              "{{ '{\"name\": \"' + call.name + '\", ' }}{{ '\"parameters\": ' }}{{ call.arguments | tojson }}{{ '}' }}{{ '<|eot_id|>' }}"
              "{% else %}{{ '<|start_header_id|>ipython<|end_header_id|>\n\n' }}{% if message.content is iterable %}{{ message.content | tojson }}"
              "{% else %}{{ message.content }}{% endif %}{{ '<|eot_id|>' }}{% endif %}{% endfor %}"
              + ASK + "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
}

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
T = {"role": "tool"}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Says \"how\" it is\n\tin <b>é 😀</b>",
          "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": []}, "x": {}}, "required": ["city"]}}},
         {"name": "b", "z": 1, "a": [1e16, -2, True, None, 1e-05, 100000.0, 123456789012345680.0, 2e15, "\u007f\u0001/\\"]}]


def call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


CALLS = A | {"content": "", "tool_calls": [call("weather", {"city": "Köln", "days": 2, "at": {"b": [1, {"c": 0.1}], "a": None}})]}
TOOL_CONVERSATIONS = [  # the tools that are offered, and what is said
    (TOOLS[1:], [U | {"content": "How is it?"}]),
    (TOOLS, [S | {"content": " Be kind. "}, U | {"content": " How is it? "}, CALLS, T | {"content": "{\"t\": 3}"}, A | {"content": "Cold."}]),
    (TOOLS[1:], [U | {"content": "Hi"}, CALLS | {"content": "I look."}, T | {"content": "a\n\"b\" é"}, T | {"content": "c"}, A | {"content": "Hm."},
                 U | {"content": "And now?"}, CALLS, T | {"content": ""}]),
    (None, [U | {"content": "Hi"}, A | {"content": "", "tool_calls": [call("a", {}), call("b", {"x": "</tool_call>"})]}, T | {"content": "1"},
            T | {"content": "2"}, A | {"content": "3"}]),
    (None, [U | {"content": "Hi"}, A | {"content": "", "tool_calls": [call("a", "{\"as\": \"text\"}")]}]),
    (None, [U | {"content": "Hi"}, A | {"content": "Wait."}, T | {"content": " result "}, A | {"content": "Done."}]),
]


def render(template, messages, ask, bos, eos, tools=None):
    try:
        return render_jinja_template([messages], tools=tools, chat_template=template, add_generation_prompt=ask, bos_token=bos, eos_token=eos)[0][0]
    except Exception:  # a role that the template refuses
        return None


def goldens(template, bos, eos):
    cases = []
    for tools, messages in [(None, messages) for messages in CONVERSATIONS] + TOOL_CONVERSATIONS:
        if tools and "tools" not in template:  # rendered without the tools, which graft refuses to do
            cases.append({"messages": messages, "tools": tools[:1], "text": None})
            continue
        full = render(template, messages, False, bos, eos, tools)
        case = {"messages": messages, "text": full, "asking": render(template, messages, True, bos, eos, tools)}
        if tools:
            case["tools"] = tools
        if full is not None:
            # What is learnt: the text between each prompt up to an assistant's turn and the prompt with that turn.
            spans = []
            for i, message in enumerate(messages):
                if message["role"] == "assistant":
                    prompt = render(template, messages[:i], True, bos, eos, tools)
                    done = render(template, messages[:i + 1], False, bos, eos, tools)
                    if i + 1 < len(messages):  # a template that always asks does so after each shortened one, too
                        done = done.removesuffix(ALWAYS_ASKED)
                    spans.append(done[len(prompt):] if done.startswith(prompt) else None)
            case["spans"] = spans
        cases.append(case)
    return cases


def of_trl():
    import trl
    folder = pathlib.Path(trl.__file__).parent / "chat_templates"
    names = {"qwen2_5": ("chatml, Qwen 2.5 with tools", "", "<|im_end|>"), "qwen3_instruct_2507": ("chatml, Qwen 3 with tools", "", "<|im_end|>"),
             "llama3_1": ("llama3.1 with tools", "<|begin_of_text|>", "<|eot_id|>"), "llama3": ("llama3", "<|begin_of_text|>", "<|eot_id|>"),
             "gemma3": ("gemma, the third", "<bos>", "<eos>"), "gemma": ("gemma2", "<bos>", "<eos>")}
    out = []
    for file, (name, bos, eos) in names.items():
        template = (folder / f"{file}.jinja").read_text()
        out.append({"name": name, "template": template, "bos": bos, "eos": eos, "cases": goldens(template, bos, eos)})
    print(json.dumps(out, ensure_ascii=False))


def main(files):
    out = []
    for name, template in TEMPLATES.items():
        bos, eos = next((v for k, v in SPECIALS.items() if name.startswith(k)), ("<s>", "</s>"))
        out.append({"name": name, "template": template, "bos": bos, "eos": eos, "cases": goldens(template, bos, eos)})
    FIXTURE.write_text(json.dumps(out, separators=(",", ":"), ensure_ascii=False))
    for path in files:
        from gguf import GGUFReader
        fields = GGUFReader(path).fields
        if "tokenizer.chat_template" in fields:
            tokens = fields["tokenizer.ggml.tokens"].contents()
            bos, eos = (tokens[fields[f"tokenizer.ggml.{n}_token_id"].contents()] for n in ("bos", "eos"))
            template = fields["tokenizer.chat_template"].contents()
            print(json.dumps({"name": path, "template": template, "bos": bos, "eos": eos, "cases": goldens(template, bos, eos)}))


if __name__ == "__main__":
    of_trl() if sys.argv[1:] == ["--trl"] else main(sys.argv[1:])
