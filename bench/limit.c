// raw epoll fan-out "server": minimal WS, no CRDT. One frame in -> N send() syscalls. gcc -O2 -o raw raw.c ;
// ./raw PORT [batch]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
typedef struct C {
    int fd;
    int up;
    int room;
    unsigned char* b;
    size_t n, cap;
} C;
typedef struct R {
    char name[64];
    C** c;
    int n, cap;
    unsigned char* p;
    size_t pl, pc;
    C* snd;
} R;
static R* rs;
static int nr, rcap;
static int batch;
static int dirty[65536], nd;
static int room(char* nm) {
    static int last = -1;
    if (last >= 0 && !strcmp(rs[last].name, nm))
        return last;
    for (int i = nr - 1; i >= 0; i--)
        if (!strcmp(rs[i].name, nm))
            return last = i;
    if (nr == rcap) {
        rcap = rcap ? rcap * 2 : 64;
        rs = realloc(rs, rcap * sizeof(R));
    }
    memset(&rs[nr], 0, sizeof(R));
    strncpy(rs[nr].name, nm, 63);
    return last = nr++;
}
static void fan(R* r, C* s, unsigned char* f, size_t n) {
    for (int i = 0; i < r->n; i++) {
        C* c = r->c[i];
        if (c == s)
            continue;
        size_t o = 0;
        while (o < n) {
            ssize_t k = send(c->fd, f + o, n - o, MSG_NOSIGNAL);
            if (k <= 0)
                break;
            o += k;
        }
    }
}
static void msg(C* c, unsigned char* p, size_t n) {
    if (n >= 2 && p[0] == 0 && p[1] == 0) {
        unsigned char r[7] = {0x82, 5, 0, 1, 2, 0, 0};
        send(c->fd, r, 7, MSG_NOSIGNAL);
        return;
    }
    unsigned char f[65536 + 10];
    size_t h;
    f[0] = 0x82;
    if (n < 126) {
        f[1] = n;
        h = 2;
    } else {
        f[1] = 126;
        f[2] = n >> 8;
        f[3] = n;
        h = 4;
    }
    memcpy(f + h, p, n);
    R* r = &rs[c->room];
    if (!batch) {
        fan(r, c, f, n + h);
        return;
    }
    if (!r->pl)
        dirty[nd++] = c->room;
    if (r->pl + n + h > r->pc) {
        r->pc = (r->pl + n + h) * 2 + 4096;
        r->p = realloc(r->p, r->pc);
    }
    memcpy(r->p + r->pl, f, n + h);
    r->pl += n + h;
    r->snd = c;
}
int main(int ac, char** av) {
    int port = atoi(av[1]);
    batch = ac > 2;
    int ls = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, 4);
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(ls, (void*)&a, sizeof a)) {
        perror("bind");
        return 1;
    }
    listen(ls, 4096);
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
    struct epoll_event evs[512];
    for (;;) {
        int n = epoll_wait(ep, evs, 512, -1);
        for (int i = 0; i < n; i++) {
            C* c = evs[i].data.ptr;
            if (!c) {
                int fd = accept(ls, NULL, NULL);
                if (fd < 0)
                    continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 4);
                c = calloc(1, sizeof *c);
                c->fd = fd;
                c->cap = 65536;
                c->b = malloc(c->cap);
                struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
                continue;
            }
            ssize_t k = recv(c->fd, c->b + c->n, c->cap - c->n, MSG_DONTWAIT);
            if (k <= 0) {
                if (k < 0 && errno == EAGAIN)
                    continue;
                close(c->fd);
                if (c->up) {
                    R* r = &rs[c->room];
                    for (int j = 0; j < r->n; j++)
                        if (r->c[j] == c) {
                            r->c[j] = r->c[--r->n];
                            break;
                        }
                }
                continue;
            }
            c->n += k;
            if (!c->up) {
                unsigned char* e = memmem(c->b, c->n, "\r\n\r\n", 4);
                if (!e)
                    continue;
                char nm[64] = {0};
                char* s = strchr((char*)c->b, '/') + 1;
                char* q = strchr(s, ' ');
                memcpy(nm, s, q - s < 63 ? q - s : 63);
                const char* rp =
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                    "Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                send(c->fd, rp, strlen(rp), 0);
                c->up = 1;
                c->room = room(nm);
                R* r = &rs[c->room];
                if (r->n == r->cap) {
                    r->cap = r->cap ? r->cap * 2 : 4;
                    r->c = realloc(r->c, r->cap * sizeof(C*));
                }
                r->c[r->n++] = c;
                size_t u = e + 4 - c->b;
                memmove(c->b, c->b + u, c->n - u);
                c->n -= u;
            }
            size_t o = 0;
            while (c->n - o >= 6) {
                unsigned char* p = c->b + o;
                size_t l = p[1] & 127, h = 2;
                if (l == 126) {
                    l = p[2] << 8 | p[3];
                    h = 4;
                }
                if (c->n - o < h + 4 + l)
                    break;
                unsigned char *m = p + h, *d = p + h + 4;
                for (size_t j = 0; j < l; j++)
                    d[j] ^= m[j & 3];
                if ((p[0] & 15) == 2)
                    msg(c, d, l);
                o += h + 4 + l;
            }
            memmove(c->b, c->b + o, c->n - o);
            c->n -= o;
        }
        for (int i = 0; i < nd; i++) {
            R* r = &rs[dirty[i]];
            fan(r, r->snd, r->p, r->pl);
            r->pl = 0;
        }
        nd = 0;
    }
}
