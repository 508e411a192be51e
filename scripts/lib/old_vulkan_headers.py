"""Writes a patch that lets llama.cpp compile with Vulkan headers before 1.3.272: they lack the type of a layer setting,
which is used for a validation layer that was not asked for.

Usage: old_vulkan_headers.py REPOSITORY PATCH
"""

import subprocess
import sys
from pathlib import Path

repository, patch = Path(sys.argv[1]), Path(sys.argv[2])
name = "ggml/src/ggml-vulkan/ggml-vulkan.cpp"
text = (repository / name).read_text()
start, end = "    std::vector<vk::LayerSettingEXT> settings", "extensions, &layer_setting_info);\n"
before, found, rest = text.partition(start)
inner, closed, after = rest.partition(end)
if not found or not closed:
    sys.exit(f"{name} has no layer settings any more: leave the patch out")
create = "    vk::InstanceCreateInfo instance_create_info(vk::InstanceCreateFlags{}, &app_info, layers, extensions);\n"
old = f"#if VK_HEADER_VERSION >= 272\n{found}{inner}{closed}#else\n    (void) enable_best_practice;\n{create}#endif\n"
(repository / name).write_text(before + old + after)
made = subprocess.run(["git", "diff", "--", name], cwd=repository, check=True, capture_output=True, text=True)
patch.write_text(made.stdout)
subprocess.run(["git", "checkout", "--quiet", "--", name], cwd=repository, check=True)
