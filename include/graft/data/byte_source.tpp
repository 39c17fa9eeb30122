// SPDX-License-Identifier: Apache-2.0
#include <graft/data/byte_source.hpp>

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

namespace graft {

struct ByteSource::State {
  struct Close {
    void operator()(std::FILE* opened) const { std::fclose(opened); }
  };

  explicit State(std::FILE* opened) : file(opened), input(std::size_t{1} << 16) {}
  ~State() {
    if (gzip) inflateEnd(&stream);
  }
  State(State const&) = delete;
  State& operator=(State const&) = delete;

  /// Gets the next block of the file into `input`, behind what is still unread of it. False at the end of the file.
  bool fill() {
    std::copy(input.begin() + static_cast<std::ptrdiff_t>(begin), input.begin() + static_cast<std::ptrdiff_t>(end),
              input.begin());
    end -= begin;
    begin = 0;
    std::size_t const got = std::fread(input.data() + end, 1, input.size() - end, file.get());
    require(got > 0 || std::ferror(file.get()) == 0, "data", "cannot be read: ", std::strerror(errno));
    end += got;
    return got > 0;
  }
  /// Whether a gzip member begins here.
  bool at_magic() {
    while (end - begin < 2 && fill()) {
    }
    return end - begin >= 2 && input[begin] == 0x1f && input[begin + 1] == 0x8b;
  }

  std::unique_ptr<std::FILE, Close> file;
  std::vector<unsigned char> input;
  std::size_t begin = 0;  // what is unread of `input`
  std::size_t end = 0;
  z_stream stream{};
  bool started = false;
  bool gzip = false;
  bool in_member = false;
};

GRAFT_INLINE ByteSource::ByteSource(std::string const& path) {
  std::error_code ignored;
  require(!std::filesystem::is_directory(path, ignored), "data", "is a folder, not a file");
  std::FILE* file = std::fopen(path.c_str(), "rb");
  require(file != nullptr, "data", "cannot be opened: ", std::strerror(errno));
  state_ = std::make_unique<State>(file);
}

GRAFT_INLINE ByteSource::~ByteSource() = default;
GRAFT_INLINE ByteSource::ByteSource(ByteSource&&) noexcept = default;
GRAFT_INLINE ByteSource& ByteSource::operator=(ByteSource&&) noexcept = default;

GRAFT_INLINE std::size_t ByteSource::read(char* out, std::size_t size) {
  State& s = *state_;
  if (!s.started) {
    s.started = true;
    if (s.at_magic()) {
      require(inflateInit2(&s.stream, 16 + MAX_WBITS) == Z_OK, "data", "zlib cannot be initialised");
      s.gzip = s.in_member = true;
    }
  }
  if (!s.gzip) {
    if (s.begin == s.end && !s.fill()) return 0;
    std::size_t const n = std::min(size, s.end - s.begin);
    std::copy_n(s.input.data() + s.begin, n, out);
    s.begin += n;
    return n;
  }
  auto const limit = static_cast<uInt>(std::min(size, std::size_t{1} << 30));
  s.stream.next_out = reinterpret_cast<Bytef*>(out);
  s.stream.avail_out = limit;
  while (s.stream.avail_out == limit) {
    if (!s.in_member) {
      if (s.begin == s.end && !s.fill()) return 0;
      require(s.at_magic(), "data", "other bytes follow the end of the gzip stream");
      inflateReset(&s.stream);
      s.in_member = true;
    }
    require(s.begin != s.end || s.fill(), "data", "the gzip stream is cut off");
    s.stream.next_in = s.input.data() + s.begin;
    s.stream.avail_in = static_cast<uInt>(s.end - s.begin);
    int const status = inflate(&s.stream, Z_NO_FLUSH);
    s.begin = s.end - s.stream.avail_in;
    require(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, "data",
            "the gzip stream is damaged: ", s.stream.msg != nullptr ? s.stream.msg : zError(status));
    s.in_member = status != Z_STREAM_END;
  }
  return limit - s.stream.avail_out;
}

}  // namespace graft
