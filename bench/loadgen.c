// A neutral load generator that speaks the y-websocket and the Hocuspocus dialect. gcc -O2 -o loadgen
// loadgen.c
//
// Modes: sat (saturation with --window outstanding updates), rate (fixed --rate, latency histogram), join
// (time to a synced document, then a storm), idle (memory per connection; --pid names the server). Each
// update carries a sequence marker in its text ("#~" and seven hex digits), so deliveries are counted exactly
// even when a server merges updates.
// --port2 is where readers connect (another node). --frozen N of each room's readers stop reading once they are
// synced. --history is written by the first writer before anything is measured. With --readers 0 and the
// Hocuspocus dialect, saturation is of acknowledgements.
// --query is appended to the URL (a token), --token is sent in-band in the Hocuspocus dialect, where
// SyncStatus frames to the writers are timed as acknowledgements.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
static int port = 9000, port2 = 0, frozen = 0, hocus = 0, nrooms = 1, nreaders = 10, window_ = 64, storm = 0, joins = 10;
static double rate = 100, secs = 5, warm = 1;
static const char *mode = "sat", *updf = NULL, *seedf = NULL, *histf = NULL, *rp = "r", *pids = "", *pathp = "/",
                  *label = "", *query = "", *token = "t";
static double now() {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static void die(const char* m) {
    fprintf(stderr, "FATAL %s errno=%d %s\n", m, errno, strerror(errno));
    printf("{\"label\":\"%s\",\"error\":\"%s\"}\n", label, m);
    exit(1);
}
static u8* ub;
static u32 *uoff, *ulen;
static u32 nupd;
static void load_updates(const char* f) {
    FILE* fp = fopen(f, "rb");
    if (!fp)
        die("updates");
    fseek(fp, 0, SEEK_END);
    long sz = ftell(fp);
    rewind(fp);
    ub = malloc(sz);
    if (fread(ub, 1, sz, fp) != (size_t)sz)
        die("rd");
    fclose(fp);
    u32 cap = 1 << 20;
    uoff = malloc(4 * cap);
    ulen = malloc(4 * cap);
    long p = 0;
    nupd = 0;
    while (p + 4 <= sz) {
        u32 l;
        memcpy(&l, ub + p, 4);
        if (nupd == cap) {
            cap *= 2;
            uoff = realloc(uoff, 4 * cap);
            ulen = realloc(ulen, 4 * cap);
        }
        uoff[nupd] = p + 4;
        ulen[nupd] = l;
        nupd++;
        p += 4 + l;
    }
}
typedef struct room room;
typedef struct conn {
    int fd;
    int writer;
    room* r;
    u32 last;
    int synced;
    u8* pend;
    size_t plen, pcap;
    u8* out;
    size_t olen, ocap, opos;
    double tsync;
} conn;
struct room {
    char name[64];
    u32 sent, acked;
    uint16_t* cnt;
    double* st;
    u32 stored;  // updates whose SyncStatus came back
    conn* w;
};
#define RING 65536
static room* rooms;
static int ep;
static u64 delivered, rframes, rbytes;
static int measuring;
static u32* hist;
static u64 hn;
static u32* ahist;  // acknowledgement latency, microseconds
static u64 ahn, refused;
#define HMAX 4000000
static int nsynced;
static double cpu() {
    double tot = 0;
    char b[256];
    strncpy(b, pids, 255);
    b[255] = 0;
    char* s = strtok(b, ",");
    while (s) {
        char p[64];
        snprintf(p, 64, "/proc/%s/stat", s);
        FILE* f = fopen(p, "r");
        if (f) {
            char l[1024];
            if (fgets(l, 1024, f)) {
                char* q = strrchr(l, ')');
                unsigned long u, st;
                int k;
                if (q) {
                    k = sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &st);
                    if (k == 2)
                        tot += (u + st) / (double)sysconf(_SC_CLK_TCK);
                }
            }
            fclose(f);
        }
        s = strtok(NULL, ",");
    }
    return tot;
}
static long rss() {
    long tot = 0;
    char b[256];
    strncpy(b, pids, 255);
    b[255] = 0;
    char* s = strtok(b, ",");
    while (s) {
        char p[64];
        snprintf(p, 64, "/proc/%s/status", s);
        FILE* f = fopen(p, "r");
        char l[256];
        if (f) {
            while (fgets(l, 256, f))
                if (!strncmp(l, "VmRSS:", 6))
                    tot += atol(l + 6);
            fclose(f);
        }
        s = strtok(NULL, ",");
    }
    return tot;
}
static double st0[2][2], busy[2];
static void cpustat(int start) {
    FILE* f = fopen("/proc/stat", "r");
    char l[512];
    while (fgets(l, 512, f)) {
        int c;
        unsigned long v[8];
        if (sscanf(l, "cpu%d %lu %lu %lu %lu %lu %lu %lu %lu", &c, v, v + 1, v + 2, v + 3, v + 4, v + 5,
                   v + 6, v + 7) == 9 &&
            l[3] != ' ' && c < 2) {
            double tot = 0;
            for (int i = 0; i < 8; i++)
                tot += v[i];
            double id = v[3] + v[4] + v[1]; /* nice time counted as idle */
            if (start) {
                st0[c][0] = tot;
                st0[c][1] = id;
            } else {
                double dt = tot - st0[c][0];
                busy[c] = dt > 0 ? 1 - (id - st0[c][1]) / dt : 0;
            }
        }
    }
    fclose(f);
}
static size_t wvar(u8* p, u64 n) {
    size_t i = 0;
    while (n > 127) {
        p[i++] = 128 | (n & 127);
        n >>= 7;
    }
    p[i++] = n;
    return i;
}
static void cout_reserve(conn* c, size_t n) {
    if (c->olen + n > c->ocap) {
        size_t nc = (c->olen + n) * 2 + 4096;
        c->out = realloc(c->out, nc);
        c->ocap = nc;
    }
}
static void put_frame(conn* c, int op, const u8* hdr, size_t hl, const u8* pay, size_t pl) {
    size_t n = hl + pl;
    cout_reserve(c, n + 14);
    u8* o = c->out + c->olen;
    size_t i = 0;
    o[i++] = 0x80 | op;
    if (n < 126)
        o[i++] = 0x80 | n;
    else if (n < 65536) {
        o[i++] = 0x80 | 126;
        o[i++] = n >> 8;
        o[i++] = n;
    } else {
        o[i++] = 0x80 | 127;
        for (int k = 7; k >= 0; k--)
            o[i++] = (u64)n >> (8 * k);
    }
    u8 m[4] = {0x37, 0xfa, 0x21, 0x3d};
    memcpy(o + i, m, 4);
    i += 4;
    size_t k = 0;
    for (size_t j = 0; j < hl; j++, k++)
        o[i + k] = hdr[j] ^ m[k & 3];
    for (size_t j = 0; j < pl; j++, k++)
        o[i + k] = pay[j] ^ m[k & 3];
    c->olen += i + n;
}
static void flush_out(conn* c) {
    while (c->opos < c->olen) {
        ssize_t r = send(c->fd, c->out + c->opos, c->olen - c->opos, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return;
            die("send");
        }
        c->opos += r;
    }
    c->opos = c->olen = 0;
}
static size_t hprefix(conn* c, u8* b) {
    size_t i = 0;
    if (hocus) {
        size_t l = strlen(c->r->name);
        i += wvar(b, l);
        memcpy(b + i, c->r->name, l);
        i += l;
    }
    return i;
}
static void put_update(conn* c, const u8* u, size_t l) {
    u8 h[128];
    size_t i = hprefix(c, h);
    h[i++] = 0;
    h[i++] = 2;
    i += wvar(h + i, l);
    put_frame(c, 2, h, i, u, l);
}
static void put_auth(conn* c) {
    u8 h[128];
    size_t i = hprefix(c, h);
    h[i++] = 2;
    h[i++] = 0;
    size_t l = strlen(token);
    i += wvar(h + i, l);
    put_frame(c, 2, h, i, (const u8*)token, l);
}
static void put_step1(conn* c) {
    u8 h[128];
    size_t i = hprefix(c, h);
    h[i++] = 0;
    h[i++] = 0;
    h[i++] = 1;
    h[i++] = 0;
    put_frame(c, 2, h, i, NULL, 0);
}
static void on_msg(conn* c, u8* p, size_t n, double t) {
    u8* p0 = p;
    if (hocus) {
        if (n < 1)
            return;
        size_t l = p[0];
        if (n < l + 3)
            return;
        p += 1 + l;
        n -= 1 + l;
    }
    if (hocus && c->writer && n >= 2 && p[0] == 8) {
        room* r = c->r;
        if (p[1] == 0)
            refused++;
        else if (r->st && measuring && r->stored < r->sent) {
            double d = (t - r->st[(r->stored + 1) & (RING - 1)]) * 1e6;
            ahist[d < 0 ? 0 : d >= HMAX ? HMAX - 1 : (u32)d]++;
            ahn++;
        }
        if (r->stored < r->sent)
            r->stored++;
        return;
    }
    if (n < 3)
        return;
    if (p[0] == 0 || (hocus && p[0] == 4)) {
        if (p[1] == 1 && !c->synced) {
            c->synced = 1;
            nsynced++;
            c->tsync = t;
        } else if (p[1] == 0)
            return;
        if (c->writer)
            return;
        // find last marker
        rframes++;
        rbytes += n;
        u8* q = NULL;
        for (ssize_t i = (ssize_t)n - 9; i >= 2; i--)
            if (p[i] == '#' && p[i + 1] == '~') {
                q = p + i;
                break;
            }
        if (!q)
            return;
        u32 s = 0;
        for (int i = 2; i < 9; i++) {
            u8 ch = q[i];
            s = s * 16 + (ch <= '9' ? ch - '0' : ch - 'a' + 10);
        }
        room* r = c->r;
        if (s <= c->last || s > r->sent)
            return;
        for (u32 k = c->last + 1; k <= s; k++) {
            u32 x = k & (RING - 1);
            if (r->st && measuring == 1) {
                double d = (t - r->st[x]) * 1e6;
                u32 h = d < 0 ? 0 : d >= HMAX ? HMAX - 1 : (u32)d;
                hist[h]++;
                hn++;
            }
            if (++r->cnt[x] == nreaders - frozen) {
                r->cnt[x] = 0;
                r->acked = k;
            }
        }
        delivered += s - c->last;
        c->last = s;
    }
    (void)p0;
}
static size_t parse(conn* c, u8* b, size_t n, double t, size_t* need) {
    size_t o = 0;
    *need = 0;
    while (n - o >= 2) {
        u8* p = b + o;
        size_t l = p[1] & 127, h = 2;
        if (l == 126) {
            if (n - o < 4)
                break;
            l = p[2] << 8 | p[3];
            h = 4;
        } else if (l == 127) {
            if (n - o < 10)
                break;
            l = 0;
            for (int i = 0; i < 8; i++)
                l = l << 8 | p[2 + i];
            h = 10;
        }
        if (n - o < h + l) {
            *need = h + l;
            break;
        }
        int op = p[0] & 15;
        if (op == 2 || op == 0)
            on_msg(c, p + h, l, t);
        else if (op == 9) {
            put_frame(c, 10, p + h, l, NULL, 0);
            flush_out(c);
        } else if (op == 8) {
            fprintf(stderr, "close frame code %d\n", l >= 2 ? (p[h] << 8 | p[h + 1]) : 0);
            die("server closed");
        }
        o += h + l;
    }
    return o;
}
static u8 shared[1 << 20];
static int rd(conn* c) {
    size_t need;
    for (;;) {
        ssize_t r;
        double t;
        if (c->plen) {
            if (c->pcap - c->plen < 65536) {
                c->pcap = c->pcap * 2 + 131072;
                c->pend = realloc(c->pend, c->pcap);
            }
            r = recv(c->fd, c->pend + c->plen, c->pcap - c->plen, MSG_DONTWAIT);
            if (r <= 0) {
                if (r == 0)
                    die("eof");
                if (errno == EAGAIN)
                    return 0;
                die("recv");
            }
            t = now();
            size_t cap = c->pcap - c->plen;
            c->plen += r;
            size_t o = parse(c, c->pend, c->plen, t, &need);
            memmove(c->pend, c->pend + o, c->plen - o);
            c->plen -= o;
            if (need > c->pcap) {
                c->pcap = need + 131072;
                c->pend = realloc(c->pend, c->pcap);
            }
            if ((size_t)r < cap)
                return 0;
        } else {
            r = recv(c->fd, shared, sizeof shared, MSG_DONTWAIT);
            if (r <= 0) {
                if (r == 0)
                    die("eof");
                if (errno == EAGAIN)
                    return 0;
                die("recv");
            }
            t = now();
            size_t o = parse(c, shared, r, t, &need);
            if (o < (size_t)r) {
                size_t rem = r - o;
                size_t nc = rem + 131072;
                if (need + 131072 > nc)
                    nc = need + 131072;
                if (c->pcap < nc) {
                    c->pend = realloc(c->pend, nc);
                    c->pcap = nc;
                }
                memcpy(c->pend, shared + o, rem);
                c->plen = rem;
            }
            if ((size_t)r < sizeof shared)
                return 0;
        }
    }
}
static conn* mkconn(room* r, int writer, int step1) {
    conn* c = calloc(1, sizeof *c);
    c->r = r;
    c->writer = writer;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0)
        die("socket");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_port = htons(!writer && port2 ? port2 : port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(c->fd, (void*)&a, sizeof a))
        die("connect");
    char b[2048];
    int n = snprintf(
        b, sizeof b,
        "GET %s%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: "
        "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        pathp, hocus ? "" : r->name, query, port);
    if (send(c->fd, b, n, 0) != n)
        die("hs");
    size_t got = 0;
    static u8 hb[1 << 16];
    for (;;) {
        ssize_t k = recv(c->fd, hb + got, sizeof hb - got, 0);
        if (k <= 0)
            die("hs recv");
        got += k;
        u8* e = memmem(hb, got, "\r\n\r\n", 4);
        if (e) {
            if (!memmem(hb, got, "101", 3)) {
                fwrite(hb, 1, got, stderr);
                die("not 101");
            }
            size_t l = got - (e + 4 - hb);
            if (l) {
                c->pcap = l + 131072;
                c->pend = malloc(c->pcap);
                memcpy(c->pend, e + 4, l);
                c->plen = l;
            }
            break;
        }
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (hocus)
        put_auth(c);
    if (step1)
        put_step1(c);
    flush_out(c);
    if (c->plen) {
        size_t need;
        size_t o = parse(c, c->pend, c->plen, now(), &need);
        memmove(c->pend, c->pend + o, c->plen - o);
        c->plen -= o;
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
    return c;
}
static void pump(int to) {
    struct epoll_event ev[512];
    int n = epoll_wait(ep, ev, 512, to);
    for (int i = 0; i < n; i++)
        rd(ev[i].data.ptr);
}
static u32 pct_of(const u32* h, u64 count, double p) {
    u64 k = (u64)(count * p), a = 0;
    if (!count)
        return 0;
    for (u32 i = 0; i < HMAX; i++) {
        a += h[i];
        if (a > k)
            return i;
    }
    return HMAX;
}
static u32 pct(double p) {
    return pct_of(hist, hn, p);
}
static int dcmp(const void* a, const void* b) {
    double x = *(double*)a, y = *(double*)b;
    return x < y ? -1 : x > y;
}
static void write_history(const char* name, conn* w) {
    FILE* f = fopen(name, "rb");
    if (!f)
        die("history");
    for (u32 l; fread(&l, 4, 1, f) == 1;) {
        u8* b = malloc(l);
        if (fread(b, 1, l, f) != l)
            die("history ends early");
        put_update(w, b, l);
        free(b);
        while (w->olen) {
            flush_out(w);
            pump(0);
        }
    }
    fclose(f);
    double c = -1, t = now();
    while (now() - t < 300 && cpu() - c > 0.05) {  // until the server is through with it
        c = cpu();
        for (double q = now(); now() - q < 1;)
            pump(20);
    }
}
int main(int ac, char** av) {
    static struct option lo[] = {
        {"port", 1, 0, 'p'},  {"pid", 1, 0, 'i'},     {"proto", 1, 0, 'P'},  {"mode", 1, 0, 'm'},
        {"rooms", 1, 0, 'r'}, {"readers", 1, 0, 'n'}, {"window", 1, 0, 'w'}, {"rate", 1, 0, 'x'},
        {"secs", 1, 0, 's'},  {"updates", 1, 0, 'u'}, {"seed", 1, 0, 'S'},   {"prefix", 1, 0, 'R'},
        {"path", 1, 0, 'a'},  {"label", 1, 0, 'l'},   {"storm", 1, 0, 't'},  {"joins", 1, 0, 'j'},
        {"port2", 1, 0, '2'}, {"frozen", 1, 0, 'f'},  {"history", 1, 0, 'H'},
        {"warm", 1, 0, 'W'},  {"query", 1, 0, 'q'},   {"token", 1, 0, 'T'},  {0}};
    int o;
    while ((o = getopt_long(ac, av, "", lo, 0)) != -1)
        switch (o) {
            case 'p':
                port = atoi(optarg);
                break;
            case 'i':
                pids = optarg;
                break;
            case 'P':
                hocus = !strcmp(optarg, "hocus");
                break;
            case 'm':
                mode = optarg;
                break;
            case 'r':
                nrooms = atoi(optarg);
                break;
            case 'n':
                nreaders = atoi(optarg);
                break;
            case 'w':
                window_ = atoi(optarg);
                break;
            case 'x':
                rate = atof(optarg);
                break;
            case 's':
                secs = atof(optarg);
                break;
            case 'u':
                updf = optarg;
                break;
            case 'S':
                seedf = optarg;
                break;
            case 'R':
                rp = optarg;
                break;
            case 'a':
                pathp = optarg;
                break;
            case 'l':
                label = optarg;
                break;
            case 't':
                storm = atoi(optarg);
                break;
            case 'j':
                joins = atoi(optarg);
                break;
            case 'q':
                query = optarg;
                break;
            case 'T':
                token = optarg;
                break;
            case '2':
                port2 = atoi(optarg);
                break;
            case 'f':
                frozen = atoi(optarg);
                break;
            case 'H':
                histf = optarg;
                break;
            case 'W':
                warm = atof(optarg);
                break;
        }
    ep = epoll_create1(0);
    hist = calloc(HMAX, 4);
    ahist = calloc(HMAX, 4);
    rooms = calloc(nrooms, sizeof(room));
    unsigned salt = getpid();
    for (int i = 0; i < nrooms; i++)
        snprintf(rooms[i].name, 64, "%s%u-%d", rp, salt, i);
    if (!strcmp(mode, "idle")) {
        long r0 = rss();
        double t0 = now();
        for (int i = 0; i < nrooms; i++) {
            rooms[i].w = mkconn(&rooms[i], 1, 1);
            pump(0);
            for (int k = 0; k < nreaders; k++) {
                mkconn(&rooms[i], 0, 1);
                pump(0);
            }
        }
        int tot = nrooms * (nreaders + 1);
        double t1 = now();
        while (nsynced < tot && now() - t1 < 60)
            pump(10);
        double t2 = now();
        while (now() - t2 < 3)
            pump(50);
        long r1 = rss();
        double c0 = cpu();
        t1 = now();
        while (now() - t1 < 5)
            pump(50);
        double c1 = cpu();
        printf(
            "{\"label\":\"%s\",\"mode\":\"idle\",\"rooms\":%d,\"conns\":%d,\"synced\":%d,\"rss0_kb\":%ld,"
            "\"rss1_kb\":%ld,\"kb_per_conn\":%.2f,\"connect_per_s\":%.0f,\"idle_cpu\":%.3f}\n",
            label, nrooms, tot, nsynced, r0, r1, (r1 - r0) / (double)tot, tot / (t2 - t0), (c1 - c0) / 5);
        return 0;
    }
    if (!strcmp(mode, "join")) {
        FILE* f = fopen(seedf, "rb");
        if (!f)
            die("seed");
        fseek(f, 0, SEEK_END);
        long sz = ftell(f);
        rewind(f);
        u8* s = malloc(sz);
        if (fread(s, 1, sz, f) != (size_t)sz)
            die("rd");
        conn* w = mkconn(&rooms[0], 1, 1);
        while (!nsynced)
            pump(10);
        double t = now();
        for (long q = 0; q + 4 <= sz;) {
            u32 l;
            memcpy(&l, s + q, 4);
            put_update(w, s + q + 4, l);
            q += 4 + l;
            while (w->olen) {
                flush_out(w);
                pump(0);
            }
        }
        // wait for server to be idle: probe joins until payload size stable
        double ts = now();
        while (now() - ts < 1.5)
            pump(10);
        double *a = malloc(8 * joins), *b = malloc(8 * joins);
        u64 bytes = 0;
        double c0 = cpu();
        for (int i = 0; i < joins; i++) {
            nsynced = 0;
            rbytes = 0;
            double t0 = now();
            conn* c = mkconn(&rooms[0], 0, 0);
            double t1 = now();
            put_step1(c);
            flush_out(c);
            while (!c->synced) {
                pump(-1);
                if (now() - t0 > 60)
                    die("join timeout");
            }
            double t2 = c->tsync;
            a[i] = (t2 - t0) * 1e3;
            b[i] = (t2 - t1) * 1e3;
            bytes = rbytes;
            epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0);
            close(c->fd);
            free(c->pend);
            free(c);
            double tw = now();
            while (now() - tw < 0.02)
                pump(5);
        }
        double c1 = cpu();
        double first = a[0];
        qsort(a, joins, 8, dcmp);
        qsort(b, joins, 8, dcmp);
        double stime = 0, scpu = 0;
        if (storm) {
            conn** cs = malloc(8 * storm);
            nsynced = 0;
            for (int i = 0; i < storm; i++)
                cs[i] = mkconn(&rooms[0], 0, 0);
            double tw = now();
            while (now() - tw < 0.5)
                pump(5);
            double s0 = cpu();
            double t0 = now();
            for (int i = 0; i < storm; i++) {
                put_step1(cs[i]);
                flush_out(cs[i]);
            }
            while (nsynced < storm) {
                pump(10);
                if (now() - t0 > 120)
                    break;
            }
            stime = now() - t0;
            scpu = cpu() - s0;
        }
        printf(
            "{\"label\":\"%s\",\"mode\":\"join\",\"seed\":\"%s\",\"seed_bytes\":%ld,\"got_bytes\":%lu,"
            "\"first_ms\":%.2f,\"join_ms_p50\":%.2f,\"join_ms_max\":%.2f,\"sync_ms_p50\":%.2f,\"cpu_ms_per_"
            "join\":%.2f,\"storm\":%d,\"storm_s\":%.3f,\"storm_cpu_s\":%.3f,\"storm_synced\":%d,\"rss_kb\":%"
            "ld}\n",
            label, seedf, sz, (unsigned long)bytes, first, a[joins / 2], a[joins - 1], b[joins / 2],
            (c1 - c0) * 1e3 / joins, storm, stime, scpu, nsynced, rss());
        (void)t;
        return 0;
    }
    load_updates(updf);
    int israte = !strcmp(mode, "rate");
    long r0 = rss();
    for (int i = 0; i < nrooms; i++) {
        room* r = &rooms[i];
        r->cnt = calloc(RING, 2);
        if (israte || !nreaders)
            r->st = calloc(RING, 8);
        r->w = mkconn(r, 1, 1);
        if (histf) {
            while (!nsynced)
                pump(10);
            write_history(histf, r->w);
        }
        for (int k = 0; k < nreaders; k++) {
            conn* c = mkconn(r, 0, 1);
            pump(0);
            if (k < frozen) {
                while (!c->synced)
                    pump(10);
                int least = 4096;
                setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
                epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0);
            }
        }
    }
    int tot = nrooms * (nreaders + 1);
    double tw = now();
    while (nsynced < tot) {
        pump(10);
        if (now() - tw > 30)
            die("sync timeout");
    }
    nreaders -= frozen, frozen = 0;
    tw = now();
    while (now() - tw < 0.3)
        pump(5);
    double t0 = now(), tm = t0 + warm, te = t0 + warm + secs;
    double c0 = 0, c1 = 0;
    u64 d0 = 0, f0 = 0, b0 = 0, k = 0;
    int ended = 0;
    double ms = 0;
    u64 sent0 = 0;
    long maxlag = 0;
    if (israte) {
        double total = rate * nrooms;
        double tq = te;
        for (;;) {
            double t = now();
            if (!measuring && t >= tm) {
                measuring = 1;
                c0 = cpu();
                cpustat(1);
                d0 = delivered;
                f0 = rframes;
                b0 = rbytes;
                ms = t;
                sent0 = k;
            }
            while (t < tq) {
                double due = t0 + k / total;
                if (due > t)
                    break;
                room* r = &rooms[k % nrooms];
                if (r->sent >= nupd) {
                    ended = 1;
                    break;
                }
                if (r->sent - r->acked >= RING - 1) {
                    ended = 2;
                    break;
                }
                u32 x = (r->sent + 1) & (RING - 1);
                r->st[x] = due;
                put_update(r->w, ub + uoff[r->sent], ulen[r->sent]);
                r->sent++;
                flush_out(r->w);
                if (t - due > maxlag * 1e-6)
                    maxlag = (t - due) * 1e6;
                k++;
            }
            for (int i = 0; i < nrooms; i++)
                if (rooms[i].w->olen)
                    flush_out(rooms[i].w);
            pump(0);
            if (t >= te || ended) {
                break;
            }
        }
        double mt = now() - ms;
        c1 = cpu();
        cpustat(0);
        u64 d1 = delivered;
        double tdr = now();
        u64 sent = 0;
        for (int i = 0; i < nrooms; i++)
            sent += rooms[i].sent;
        while (delivered < sent * nreaders && now() - tdr < 10) {
            for (int i = 0; i < nrooms; i++)
                if (rooms[i].w->olen)
                    flush_out(rooms[i].w);
            pump(1);
        }
        printf(
            "{\"label\":\"%s\",\"mode\":\"rate\",\"rooms\":%d,\"readers\":%d,\"rate\":%.1f,\"offered_del_s\":"
            "%.0f,\"del_s\":%.0f,\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"srv_cpu\":%.3f,"
            "\"frames_per_del\":%.3f,\"bytes_per_del\":%.1f,\"drain_s\":%.2f,\"lost\":%ld,\"acks\":%lu,"
            "\"refused\":%lu,\"ack_p50_us\":%u,\"ack_p99_us\":%u,\"lag_us\":%ld,"
            "\"core0\":%.2f,\"core1\":%.2f,\"rss_kb\":%ld}\n",
            label, nrooms, nreaders, rate, total * nreaders, (d1 - d0) / mt, pct(.5), pct(.9), pct(.99),
            pct(.999), (c1 - c0) / mt, (rframes - f0) / (double)(delivered - d0 + 1),
            (rbytes - b0) / (double)(delivered - d0 + 1), now() - tdr, (long)(sent * nreaders - delivered),
            (unsigned long)ahn, (unsigned long)refused, pct_of(ahist, ahn, .5), pct_of(ahist, ahn, .99),
            maxlag, busy[0], busy[1], rss());
        return 0;
    }
    // saturation
    double tl = t0;
    for (;;) {
        double t = now();
        if (!measuring && t >= tm) {
            measuring = 2;
            c0 = cpu();
            cpustat(1);
            d0 = delivered;
            f0 = rframes;
            b0 = rbytes;
            ms = t;
        }
        for (int i = 0; i < nrooms; i++) {
            room* r = &rooms[i];
            conn* w = r->w;
            if (w->olen) {
                flush_out(w);
                if (w->olen)
                    continue;
            }
            int q = 0;
            while (r->sent < (nreaders ? r->acked : r->stored) + window_) {
                if (r->sent >= nupd) {
                    ended = 1;
                    break;
                }
                if (r->st)
                    r->st[(r->sent + 1) & (RING - 1)] = t;
                put_update(w, ub + uoff[r->sent], ulen[r->sent]);
                r->sent++;
                q = 1;
            }
            if (q)
                flush_out(w);
        }
        u64 dd = delivered + ahn;
        pump(1);
        if (delivered + ahn != dd)
            tl = t;
        if (t - tl > 15)
            die("stall");
        if (t >= te || ended)
            break;
    }
    double mt = now() - ms;
    c1 = cpu();
    cpustat(0);
    (void)r0;
    (void)sent0;

    printf(
        "{\"label\":\"%s\",\"mode\":\"sat\",\"rooms\":%d,\"readers\":%d,\"window\":%d,\"del_s\":%.0f,\"upd_"
        "s\":%.0f,\"srv_cpu\":%.3f,\"frames_per_del\":%.3f,\"bytes_per_del\":%.1f,\"ended\":%d,\"core0\":%."
        "2f,\"core1\":%.2f,\"secs\":%.2f,\"rss_kb\":%ld,\"acks_s\":%.0f,\"refused\":%lu,"
        "\"ack_p50_us\":%u,\"ack_p99_us\":%u}\n",
        label, nrooms, nreaders, window_, (delivered - d0) / mt, (delivered - d0) / mt / (nreaders ? nreaders : 1),
        (c1 - c0) / mt, (rframes - f0) / (double)(delivered - d0 + 1),
        (rbytes - b0) / (double)(delivered - d0 + 1), ended, busy[0], busy[1], mt, rss(), ahn / mt,
        (unsigned long)refused, pct_of(ahist, ahn, .5), pct_of(ahist, ahn, .99));
    return 0;
}
