# SPDX-License-Identifier: Apache-2.0
"""Conan 2 recipe of graft as it is mostly used, the headers:  conan create packaging"""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.layout import basic_layout
from conan.tools.files import copy, load


class GraftConan(ConanFile):
    name = "graft"
    description = "Parameter-efficient fine-tuning of language models, header-only C++20"
    license = "Apache-2.0"
    topics = ("fine-tuning", "lora", "language-model", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_onednn": [True, False], "with_xtensor": [True, False]}
    default_options = {"with_onednn": False, "with_xtensor": False}
    no_copy_source = True

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..")

    def set_version(self):
        header = load(self, os.path.join(self._root, "include", "graft", "version.hpp"))
        self.version = re.search(r'GRAFT_VERSION_STRING "([^"]+)"', header).group(1)

    def export_sources(self):
        for pattern in ("include/*", "LICENSE"):
            copy(self, pattern, self._root, self.export_sources_folder)

    def requirements(self):
        self.requires("eigen/3.4.0", transitive_headers=True)
        self.requires("nlohmann_json/3.11.3", transitive_headers=True)
        self.requires("zlib/[>=1.2.11 <2]", transitive_headers=True, transitive_libs=True)
        if self.options.with_onednn:
            self.requires("onednn/[>=2.6]", transitive_headers=True, transitive_libs=True)
        if self.options.with_xtensor:
            self.requires("xtensor/0.24.7", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        basic_layout(self)

    def package_id(self):
        self.info.settings.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        include = os.path.join(self.source_folder, "include")
        copy(self, "*.[ht]pp", include, os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "graft")
        self.cpp_info.set_property("cmake_target_name", "graft::graft")
        if self.options.with_onednn:
            self.cpp_info.defines.append("GRAFT_WITH_ONEDNN=1")
