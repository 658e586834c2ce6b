# A profile in the words of tc, for run.sh. $packet: the milliseconds that one packet stands for,
# as to tc a burst is so many packets, not so long.
#
# Five lines: for the way forth, then the way back, RATE BURST MTU NETEM... and the blackouts'
# FIRST EVERY LENGTH in microseconds (an empty line: none); and what is left out.

def fail($when; $why): if $when then error($why) else . end;
def known($names): (keys - $names) as $unknown
    | fail($unknown != []; "unknown field \($unknown[0])");
def numbers: all(.[]; type == "number" and . >= 0) as $ok
    | fail($ok | not; "not a number from 0 up");
def fields: ["delay_ms", "jitter_ms", "loss_percent", "burst_ms", "reorder_percent",
    "reorder_ms", "duplicate_percent", "corrupt_percent", "truncate_percent", "rate_mbit",
    "queue_ms", "queue_kbytes", "mtu", "rebind_every_ms"];
def said: with_entries(select(.value != null));

def checked:
    known(fields + ["jitter_order", "blackouts"])
    | (.blackouts // {} | said | known(["every_ms", "length_ms", "first_ms"]) | numbers) as $out
    | (del(.jitter_order, .blackouts) | numbers) as $stated
    | fail(.jitter_order // "keep" | IN("keep", "reorder") | not; "jitter_order: keep or reorder")
    | fail(has("queue_ms") and has("queue_kbytes"); "queue_ms and queue_kbytes")
    | fail(any(to_entries[]; (.key | endswith("_percent")) and .value > 100); "over 100 percent")
    | fail(.mtu // 1 | . < 1 or . > 65507 or . != floor; "mtu: a whole number from 1 to 65507")
    | ([fields[] | {key: ., value: 0}] | from_entries) + .
    | fail(.jitter_ms > .delay_ms; "jitter_ms over delay_ms")
    | fail(.reorder_ms > .delay_ms; "reorder_ms over delay_ms")
    | fail(.reorder_percent > 0 and .delay_ms == 0; "reorder_percent needs a delay_ms")
    | . + {stated: ($stated | keys), blackouts: $out};

def loss: .loss_percent as $lost | (100 - $lost) as $kept
    | if .burst_ms == 0 or $lost == 0 or $kept == 0 then "loss \($lost)%"
      else ([1, $packet / .burst_ms, $kept / $lost] | min) as $ends
        | "loss gemodel \(100 * $ends * $lost / $kept)% \(100 * $ends)%" end;

# In packets of 1500 bytes: what is under way, and the queue.
def limit: (.rate_mbit / 12) as $per_ms
    | if .rate_mbit == 0 then 100000 else $per_ms * .delay_ms
        + if .stated | index("queue_ms") then $per_ms * .queue_ms
          elif .stated | index("queue_kbytes") then .queue_kbytes / 1.5
          else [100, $per_ms * 2 * .delay_ms] | max end
        | ceil + 1 end;

def netem: "limit \(limit) delay \(.delay_ms)ms \(.jitter_ms)ms \(loss)"
    + " duplicate \(.duplicate_percent)% corrupt \(.corrupt_percent)%"
    + if .reorder_percent > 0 then " reorder \(.reorder_percent)%" else "" end
    # A rate of its own, however high, makes netem keep the order.
    + if .jitter_order == "keep" and .jitter_ms > 0 then " rate 100gbit" else "" end;

def out: .blackouts | (.every_ms // 0) as $every
    | if $every * (.length_ms // 0) == 0 then ""
      else [.first_ms // $every, $every, .length_ms] | map(. * 1000 | ceil | tostring) | join(" ") end;

def left_out: ["truncate_percent", "rebind_every_ms",
    (select(.reorder_percent > 0) | "reorder_ms")] - [to_entries[] | select(.value == 0) | .key];

fail(type != "object"; "not an object") | said
| (.back // {} | said) as $back | del(.back)
| [., (if $back | has("queue_ms") or has("queue_kbytes") then del(.queue_ms, .queue_kbytes)
       else . end) + $back]
| map(checked)
| (.[] | "\(.rate_mbit) \([3028, .rate_mbit * 125 | ceil] | max) \(.mtu) \(netem)", out),
  (map(left_out) | add | unique | join(", "))
