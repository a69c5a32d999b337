//! The texts that `-h`, `-V` and `-i` print.

use clap::Command;
use corecached_protocol::reply::COMPATIBILITY_VERSION;

/// The text before the options in `-h`.
pub(super) const HELP_INTRODUCTION: &str =
    "A cache server that speaks memcached's protocol, with one shard per CPU core.";

/// The text after the options in `-h`: the sub-options of `-o`.
pub(super) const HELP_EXTENDED: &str = "
Extended options (-o name=value,name,...; switches have a form with no_, too):
  maxconns_fast          refuse connections over the limit (default); with no_
                         they wait until there is room
  shard_port=<n>         port where the source port chooses the shard, for
                         shard-aware clients (default: none)
  metrics=<addr:port>    metrics for Prometheus at /metrics and /healthz by HTTP;
                         a port alone is one of 127.0.0.1 (default: none)
  slow_us=<n>            tell of commands that take n microseconds or more, to
                         \"watch slow\" and on stderr (default: 0: none)
  log=<name>             lines on stderr: text (default), or json
  no_latency             count nothing for \"stats latency\"
  no_hotkeys, no_mrc     nothing for \"stats hotkeys\", \"stats mrc\"
  no_pin                 shards stay on no CPU in particular
  prefault               have all memory before the server is ready
  udp_reply_max=<n>      bytes of the largest reply by UDP to another machine
                         (default: 65536; 0: no limit)
  udp_rate=<n>           bytes a second by UDP from each shard to one network
                         (/24, IPv6 /56), not loopback (default: 4194304; 0:
                         no limit)
  eviction=<name>        s3fifo: items not asked for again soon go first
  conn_mem_limit=<mb>    heap that connections hold together; beyond it the
                         largest are closed (default: 256; 0: no limit)
  io=<name>              uring, epoll, or auto: uring if it is to be had
                         (default: auto)
  idle_timeout=<s>       close connections silent for so long (default: never)
  slab_chunk_max=<kb>    largest chunk; larger items are chains (default: 512)
  slab_sizes=<a-b-c>     explicit chunk sizes
  no_chunked_items       one chunk per item, up to a page
  slab_reassign          move pages between slab classes (default)
  slab_automove=<0..2>   how readily (default: 1)
  lru_crawler            sweep expired items in the background (default)
  track_sizes            count sizes for \"stats sizes\"
  watcher_logbuf_size=<kb>, worker_logbuf_size=<kb>
                         buffers of \"watch\" (default: 256, 64)
  sock_cookie_id=<n>     SO_MARK of the listening sockets
  modern, no_modern      defaults of memcached 1.5 and later, or of 1.4
  ssl_chain_cert=<file>  certificates of the server, its own first, in PEM
  ssl_key=<file>         its private key, if not in ssl_chain_cert
  ssl_keyformat=<n>      1: PEM (default), 2: DER
  ssl_verify_mode=<n>    client certificates: 0 none (default), 1 requested,
                         2 required, 3 required once
  ssl_ca_cert=<file>     certificates of those who issue the clients', in PEM
  ssl_ciphers=<a:b>      cipher suites by name (default: all there are)
  ssl_min_version=<n>    2: TLS 1.2 (default), 3: TLS 1.3
  ssl_session_cache      sessions can be resumed without tickets, too
  Accepted without effect: ssl_wbuf_size, ssl_kernel_tls,
 hashpower, no_hashexpand, hash_algorithm,
  tail_repair_time, slab_automove_ratio, slab_automove_window,
  lru_crawler_sleep, lru_crawler_tocrawl, lru_maintainer, hot_lru_pct,
  warm_lru_pct, hot_max_factor, warm_max_factor, temporary_ttl,
  read_buf_mem_limit, resp_obj_mem_limit, inline_ascii_resp, drop_privileges,
  and what tunes storage on flash (ext_item_size and so on; there is none)

The environment variable MEMCACHED_PORT_FILENAME names a file that gets the
ports it listens on. With -S, MEMCACHED_SASL_PWDB names a file with a line
user:password for each user. SIGHUP reads password files again.

`corecached top [HOST:PORT]...` shows what servers are doing; see its --help.
";

/// The text of `-h`. Its first line is memcached's, since clients' test suites read the version from it.
pub(super) fn help(command: &mut Command) -> String {
    format!("{}\n{}{HELP_EXTENDED}", version(), command.render_help())
}

/// The text of `-V`: first the version that this program is compatible with, in memcached's form, then its own.
pub(super) fn version() -> String {
    format!(
        "memcached {COMPATIBILITY_VERSION}\ncorecached {}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The text of `-i`.
pub(super) fn license() -> String {
    format!(
        "corecached {}\n\n{LICENSE_NOTICE}",
        env!("CARGO_PKG_VERSION")
    )
}

const LICENSE_NOTICE: &str = "\
Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use this program except in
compliance with the License. You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is
distributed on an \"AS IS\" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and limitations under the License.

corecached is an independent program. It contains no code of memcached.
";
