/*
 * linksim: joins two TUN devices by an emulated link: rate, one-way delay, jitter, loss (random or in bursts),
 * duplication, bit corruption, a drop-tail queue, a timed black hole. It carries any IP protocol, so that TCP, other
 * programs and Godwit are measured on the same link. One thread; deterministic for a seed and an order of arrival.
 *
 *   linksim NAME_A NAME_B [rate=MBIT] [delay=MS] [jitter=MS] [loss=PERCENT] [burst=PACKETS] [dup=PERCENT]
 *           [corrupt=PERCENT] [queue=KIB] [seed=N] [blackhole=FROM_S:TO_S] [tick=US] [sample=MS] [offload=0|1]
 *
 * It makes both devices, prints {"type":"ready"} and lives until SIGTERM, SIGINT or its parent's death; the devices
 * vanish with it, in whatever network namespace they are by then. Every `sample` ms (0: only at the end) it prints one
 * line of counters: totals since the start for each direction and flow, and the queue since the line before.
 *
 * What keeps its own use of the processor small: it wakes at most once per `tick`, and the kernel hands over whole
 * trains (TCP segmentation, UDP_SEGMENT) that are cut only in the books: rate, queue and fate are each packet's own, and
 * what survives side by side and is due in the same tick goes on as one train, as a network card's coalescing does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
  READ_BYTES_MAX = 65536 + 256,
  READS_PER_TURN = 256,
  FLOWS_MAX = 32,
  TCP = 6,
  UDP = 17,
  HEADERS_MAX = 120,
};
/* Without traffic for so long the loop sleeps until something arrives instead of ticking. */
static const uint64_t IDLE_NS = 10 * 1000 * 1000;

/* One read of a device: a packet, or a train of packets that the kernel has not yet cut. */
typedef struct {
  uint32_t references;
  uint32_t length;
  struct virtio_net_hdr header;
  /* Of a train: bytes of IP and transport headers, and of payload in each packet but the last. 0: a single packet. */
  uint16_t header_bytes, segment_bytes;
  uint8_t bytes[];
} Buffer;

/* A packet on the link: number `index` of its buffer. */
typedef struct {
  uint64_t due;
  Buffer *buffer;
  uint32_t index, length;
} Packet;

typedef struct {
  uint8_t protocol;
  uint16_t from, to;
  uint64_t packets, bytes;
} Flow;

/* One direction: a ring in order of arrival. */
typedef struct {
  Packet *ring;
  size_t capacity, head, count;
  /* When the last queued packet will have left the queue, ns. */
  uint64_t link_free;
  uint64_t seen, seen_bytes, lost, dropped, duplicated, corrupted, passed, passed_bytes;
  int burst_left;
  /* Waiting times in the queue since the last sample, ns. */
  uint64_t waits, wait_sum, wait_max;
  Flow flows[FLOWS_MAX];
  int flow_count;
} Direction;

static double rate_mbit, delay_ms, jitter_ms, loss_percent, duplicate_percent, corrupt_percent;
static double hole_from = -1, hole_to = -1;
static int burst = 1, wants_offload = 1;
static uint64_t queue_bytes, tick_ns = 100 * 1000, sample_ns, started;
static uint64_t random_state = 88172645463325252ull;
static volatile sig_atomic_t is_stopping;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* xorshift64: 0 <= value < 1. */
static double uniform(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (random_state >> 11) * (1.0 / 9007199254740992.0);
}

static bool happens(double percent) { return percent > 0 && uniform() < percent / 100; }

static void on_signal(int signal) {
  (void)signal;
  is_stopping = 1;
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void put16(uint8_t *at, uint16_t value) {
  at[0] = value >> 8;
  at[1] = value & 0xff;
}

/* Sums for the internet checksum (RFC 1071). */
static uint32_t sum16(const uint8_t *bytes, size_t length, uint32_t sum) {
  for (; length > 1; bytes += 2, length -= 2) sum += get16(bytes);
  return length > 0 ? sum + (bytes[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static int open_device(const char *name) {
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  if (fd < 0) {
    perror("linksim: /dev/net/tun");
    exit(2);
  }
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    fprintf(stderr, "linksim: %s: %s\n", name, strerror(errno));
    exit(2);
  }
  /* UDP trains are newer (Linux 6.2) than TCP ones. */
  if (wants_offload && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_USO4 | TUN_F_USO6) < 0)
    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4);
  return fd;
}

static void release(Buffer *buffer) {
  if (--buffer->references == 0) free(buffer);
}

/* Fills in what cutting a train needs. False for one that cannot be cut: it is dropped (IPv6 UDP trains). */
static bool measure_train(Buffer *buffer) {
  buffer->header_bytes = buffer->segment_bytes = 0;
  if (buffer->header.gso_type == VIRTIO_NET_HDR_GSO_NONE) return true;
  const uint8_t *ip = buffer->bytes;
  if (buffer->length < 28 || ip[0] >> 4 != 4) return false;
  uint32_t ip_bytes = (ip[0] & 15) * 4;
  if (ip[9] == UDP) buffer->header_bytes = ip_bytes + 8;
  else if (ip[9] == TCP && buffer->length > ip_bytes + 12) buffer->header_bytes = ip_bytes + (ip[ip_bytes + 12] >> 4) * 4;
  else return false;
  buffer->segment_bytes = buffer->header.gso_size;
  return buffer->segment_bytes > 0 && buffer->header_bytes < buffer->length && buffer->header_bytes <= HEADERS_MAX;
}

static uint32_t packets_in(const Buffer *buffer) {
  if (buffer->segment_bytes == 0) return 1;
  return (buffer->length - buffer->header_bytes + buffer->segment_bytes - 1) / buffer->segment_bytes;
}

/* Bytes of packets [first, first + count) of a train, with one set of headers. */
static uint32_t run_bytes(const Buffer *buffer, uint32_t first, uint32_t count) {
  if (buffer->segment_bytes == 0) return buffer->length;
  uint32_t from = first * buffer->segment_bytes, to = from + count * buffer->segment_bytes;
  uint32_t payload = buffer->length - buffer->header_bytes;
  return buffer->header_bytes + (to < payload ? to : payload) - from;
}

/* Writes the headers of packets [first, first + count) of a train: as the kernel's own cutting would (RFC 9293, 768). */
static void write_headers(const Buffer *buffer, uint32_t first, uint32_t count, uint8_t *headers) {
  memcpy(headers, buffer->bytes, buffer->header_bytes);
  uint32_t ip_bytes = (headers[0] & 15) * 4, length = run_bytes(buffer, first, count);
  put16(headers + 2, length);
  put16(headers + 4, get16(headers + 4) + first);
  put16(headers + 10, 0);
  put16(headers + 10, ~fold(sum16(headers, ip_bytes, 0)));
  uint8_t *transport = headers + ip_bytes;
  uint32_t transport_bytes = length - ip_bytes;
  uint16_t pseudo = fold(sum16(headers + 12, 8, headers[9] + transport_bytes));
  if (headers[9] == UDP) {
    put16(transport + 4, transport_bytes);
    put16(transport + 6, pseudo);
    return;
  }
  uint32_t sequence = ((uint32_t)get16(transport + 4) << 16 | get16(transport + 6)) + first * buffer->segment_bytes;
  put16(transport + 4, sequence >> 16);
  put16(transport + 6, sequence & 0xffff);
  put16(transport + 16, pseudo);
  /* FIN and PSH belong to the last packet of a train, CWR to the first. */
  if (first + count < packets_in(buffer)) transport[13] &= ~0x09;
  if (first > 0) transport[13] &= ~0x80;
}

/* Hands packets [first, first + count) of a buffer to a device, as one train where they are several. */
static void write_run(int fd, const Buffer *buffer, uint32_t first, uint32_t count) {
  struct virtio_net_hdr header = buffer->header;
  uint8_t headers[HEADERS_MAX];
  struct iovec parts[3] = {{&header, sizeof header}, {(void *)buffer->bytes, buffer->length}};
  int part_count = 2;
  if (buffer->segment_bytes > 0) {
    write_headers(buffer, first, count, headers);
    uint32_t bytes = run_bytes(buffer, first, count);
    header.hdr_len = buffer->header_bytes;
    if (count == 1) {
      header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
      header.gso_size = 0;
    }
    parts[1] = (struct iovec){headers, buffer->header_bytes};
    parts[2].iov_base = (void *)(buffer->bytes + buffer->header_bytes + first * buffer->segment_bytes);
    parts[2].iov_len = bytes - buffer->header_bytes;
    part_count = 3;
  }
  /* A device that is down takes nothing: the packet is lost, as on a cable that was pulled. */
  ssize_t written = writev(fd, parts, part_count);
  (void)written;
}

/* A packet of its own with one flipped bit behind its headers, its checksum still that of the right bytes. */
static Buffer *corrupted_copy(const Buffer *buffer, uint32_t index) {
  uint32_t length = run_bytes(buffer, index, 1);
  Buffer *copy = malloc(sizeof *copy + length);
  memset(copy, 0, sizeof *copy);
  copy->references = 1;
  copy->length = length;
  copy->header = buffer->header;
  copy->header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
  copy->header.gso_size = 0;
  if (buffer->segment_bytes > 0) {
    write_headers(buffer, index, 1, copy->bytes);
    memcpy(copy->bytes + buffer->header_bytes,
           buffer->bytes + buffer->header_bytes + index * buffer->segment_bytes, length - buffer->header_bytes);
  } else {
    memcpy(copy->bytes, buffer->bytes, length);
  }
  if (copy->header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
    uint8_t *start = copy->bytes + copy->header.csum_start;
    uint16_t sum = ~fold(sum16(start, length - copy->header.csum_start, 0));
    put16(start + copy->header.csum_offset, sum == 0 ? 0xffff : sum);
    copy->header.flags = 0;
  }
  uint32_t from = length > 60 ? 40 : 0;
  copy->bytes[from + (uint32_t)(uniform() * (length - from))] ^= 1 << (int)(uniform() * 8);
  return copy;
}

static void push(Direction *d, Buffer *buffer, uint32_t index, uint32_t length, uint64_t due) {
  if (d->count == d->capacity) {
    size_t capacity = d->capacity ? d->capacity * 2 : 4096;
    Packet *ring = malloc(capacity * sizeof *ring);
    for (size_t i = 0; i < d->count; i++) ring[i] = d->ring[(d->head + i) % d->capacity];
    free(d->ring);
    d->ring = ring;
    d->capacity = capacity;
    d->head = 0;
  }
  d->ring[(d->head + d->count++) % d->capacity] = (Packet){due, buffer, index, length};
  buffer->references++;
}

/* The fate of one packet: lost, dropped by the full queue, or due at a moment. */
static void arrive_one(Direction *d, Buffer *buffer, uint32_t index, uint64_t now) {
  uint32_t length = run_bytes(buffer, index, 1);
  double age = (now - started) / 1e9;
  d->seen++;
  d->seen_bytes += length;
  if (hole_from >= 0 && age >= hole_from && age < hole_to) {
    d->lost++;
    return;
  }
  if (d->burst_left > 0) {
    d->burst_left--;
    d->lost++;
    return;
  }
  if (happens(loss_percent / burst)) {
    d->lost++;
    d->burst_left = burst - 1;
    return;
  }
  uint64_t wire = rate_mbit > 0 ? (uint64_t)(length * 8000.0 / rate_mbit) : 0;
  uint64_t begin = d->link_free > now ? d->link_free : now, wait = begin - now;
  if (queue_bytes && rate_mbit > 0 && wait * rate_mbit / 8000.0 > queue_bytes) {
    d->dropped++;
    return;
  }
  d->waits++;
  d->wait_sum += wait;
  if (wait > d->wait_max) d->wait_max = wait;
  d->link_free = begin + wire;
  uint64_t due = d->link_free + (uint64_t)((delay_ms + (jitter_ms > 0 ? jitter_ms * uniform() : 0)) * 1e6);
  if (happens(corrupt_percent)) {
    d->corrupted++;
    Buffer *copy = corrupted_copy(buffer, index);
    push(d, copy, 0, length, due);
    release(copy);
  } else {
    push(d, buffer, index, length, due);
  }
  if (happens(duplicate_percent)) {
    d->duplicated++;
    push(d, buffer, index, length, due);
  }
}

static void arrive(Direction *d, Buffer *buffer, uint64_t now) {
  if (!measure_train(buffer)) return;
  uint32_t count = packets_in(buffer);
  for (uint32_t i = 0; i < count; i++) arrive_one(d, buffer, i, now);
}

static void count_passed(Direction *d, const Buffer *buffer, uint64_t packets, uint64_t bytes) {
  d->passed += packets;
  d->passed_bytes += bytes;
  const uint8_t *ip = buffer->bytes;
  if (buffer->length < 24 || ip[0] >> 4 != 4 || (ip[9] != TCP && ip[9] != UDP)) return;
  const uint8_t *transport = ip + (ip[0] & 15) * 4;
  uint16_t from = get16(transport), to = get16(transport + 2);
  Flow *flow = NULL;
  for (int i = 0; i < d->flow_count && flow == NULL; i++)
    if (d->flows[i].protocol == ip[9] && d->flows[i].from == from && d->flows[i].to == to) flow = &d->flows[i];
  if (flow == NULL) {
    /* The table is full: what is new takes the place of the smallest. */
    flow = &d->flows[0];
    for (int i = 1; i < d->flow_count; i++)
      if (d->flows[i].bytes < flow->bytes) flow = &d->flows[i];
    if (d->flow_count < FLOWS_MAX) flow = &d->flows[d->flow_count++];
    *flow = (Flow){ip[9], from, to, 0, 0};
  }
  flow->packets += packets;
  flow->bytes += bytes;
}

/* With jitter the head may wait while a later packet is due: order is kept, as in one queue. */
static void leave(Direction *d, int fd, uint64_t now) {
  while (d->count > 0 && d->ring[d->head].due <= now) {
    Packet first = d->ring[d->head];
    uint32_t count = 0, bytes = 0;
    for (;;) {
      Packet *packet = &d->ring[d->head];
      if (d->count == 0 || packet->due > now || packet->buffer != first.buffer || packet->index != first.index + count)
        break;
      count++;
      bytes += packet->length;
      d->head = (d->head + 1) % d->capacity;
      d->count--;
    }
    write_run(fd, first.buffer, first.index, count);
    count_passed(d, first.buffer, count, bytes);
    for (uint32_t i = 0; i < count; i++) release(first.buffer);
  }
}

/* Takes what the kernel has for one device; whether there was anything. */
static bool take(Direction *d, int fd, uint64_t now) {
  static uint8_t scratch[READ_BYTES_MAX];
  bool had_any = false;
  for (int i = 0; i < READS_PER_TURN; i++) {
    ssize_t bytes = read(fd, scratch, sizeof scratch);
    if (bytes <= (ssize_t)sizeof(struct virtio_net_hdr)) break;
    had_any = true;
    uint32_t length = bytes - sizeof(struct virtio_net_hdr);
    Buffer *buffer = malloc(sizeof *buffer + length);
    buffer->references = 1;
    buffer->length = length;
    memcpy(&buffer->header, scratch, sizeof buffer->header);
    memcpy(buffer->bytes, scratch + sizeof buffer->header, length);
    arrive(d, buffer, now);
    release(buffer);
  }
  return had_any;
}

static void print_sample(Direction *directions, uint64_t now, const char *type) {
  printf("{\"type\":\"%s\",\"seconds\":%.6f", type, (now - started) / 1e9);
  for (int i = 0; i < 2; i++) {
    Direction *d = &directions[i];
    printf(",\"%s\":{\"seen\":%lu,\"seenBytes\":%lu,\"lost\":%lu,\"dropped\":%lu,\"duplicated\":%lu,\"corrupted\":%lu,"
           "\"passed\":%lu,\"passedBytes\":%lu,\"queueMeanMs\":%.3f,\"queueMaxMs\":%.3f,\"flows\":[",
           i ? "ba" : "ab", d->seen, d->seen_bytes, d->lost, d->dropped, d->duplicated, d->corrupted, d->passed,
           d->passed_bytes, d->waits ? d->wait_sum / 1e6 / d->waits : 0, d->wait_max / 1e6);
    for (int k = 0; k < d->flow_count; k++)
      printf("%s{\"protocol\":\"%s\",\"from\":%u,\"to\":%u,\"packets\":%lu,\"bytes\":%lu}", k ? "," : "",
             d->flows[k].protocol == TCP ? "tcp" : "udp", d->flows[k].from, d->flows[k].to, d->flows[k].packets,
             d->flows[k].bytes);
    printf("]}");
    d->waits = d->wait_sum = d->wait_max = 0;
  }
  printf("}\n");
  fflush(stdout);
}

static bool set_option(char *argument) {
  char *value = strchr(argument, '=');
  if (value == NULL) return false;
  *value++ = 0;
  double number = atof(value);
  if (!strcmp(argument, "rate")) rate_mbit = number;
  else if (!strcmp(argument, "delay")) delay_ms = number;
  else if (!strcmp(argument, "jitter")) jitter_ms = number;
  else if (!strcmp(argument, "loss")) loss_percent = number;
  else if (!strcmp(argument, "burst")) burst = number < 1 ? 1 : (int)number;
  else if (!strcmp(argument, "dup")) duplicate_percent = number;
  else if (!strcmp(argument, "corrupt")) corrupt_percent = number;
  else if (!strcmp(argument, "queue")) queue_bytes = number * 1024;
  else if (!strcmp(argument, "seed")) random_state ^= (uint64_t)number * 2654435761u;
  else if (!strcmp(argument, "tick")) tick_ns = number * 1000;
  else if (!strcmp(argument, "sample")) sample_ns = number * 1e6;
  else if (!strcmp(argument, "offload")) wants_offload = number != 0;
  else if (!strcmp(argument, "blackhole")) return sscanf(value, "%lf:%lf", &hole_from, &hole_to) == 2;
  else return false;
  return true;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: linksim NAME_A NAME_B [NAME=VALUE...]; the options are named at the top of linksim.c\n");
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    if (set_option(argv[i])) continue;
    fprintf(stderr, "linksim: %s is not an option of the form name=value\n", argv[i]);
    return 2;
  }
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  /* Whoever started it and was killed cannot clean up: the devices go with this process. */
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  /* Sleeps of 100 us must not become 150. */
  prctl(PR_SET_TIMERSLACK, 1000);
  int fds[2] = {open_device(argv[1]), open_device(argv[2])};
  static Direction directions[2];
  started = now_ns();
  printf("{\"type\":\"ready\"}\n");
  fflush(stdout);
  uint64_t last_busy = started, next_sample = sample_ns ? started + sample_ns : UINT64_MAX;
  while (!is_stopping) {
    uint64_t now = now_ns();
    for (int i = 0; i < 2; i++)
      if (take(&directions[i], fds[i], now)) last_busy = now;
    for (int i = 0; i < 2; i++) leave(&directions[i], fds[1 - i], now);
    if (now >= next_sample) {
      print_sample(directions, now, "sample");
      next_sample += sample_ns * ((now - next_sample) / sample_ns + 1);
    }
    uint64_t due = next_sample < now + 100000000ull ? next_sample : now + 100000000ull;
    for (int i = 0; i < 2; i++)
      if (directions[i].count > 0 && directions[i].ring[directions[i].head].due < due)
        due = directions[i].ring[directions[i].head].due;
    uint64_t wait = due > now + tick_ns ? due - now : tick_ns;
    if (now - last_busy > IDLE_NS) {
      struct timespec t = {wait / 1000000000ull, wait % 1000000000ull};
      struct pollfd polled[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}};
      ppoll(polled, 2, &t, NULL);
    } else {
      struct timespec t = {0, tick_ns};
      nanosleep(&t, NULL);
    }
  }
  print_sample(directions, now_ns(), "end");
  return 0;
}
