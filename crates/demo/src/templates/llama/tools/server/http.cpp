#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

static int listen_on(const std::string & host, int port) {
    const bool is_path = host.size() > 5 && host.compare(host.size() - 5, 5, ".sock") == 0;
    const int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bound = -1;
    if (is_path) {
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        strncpy(address.sun_path, host.c_str(), sizeof address.sun_path - 1);
        bound = bind(fd, (sockaddr *) &address, sizeof address);
    } else {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons((uint16_t) port);
        inet_pton(AF_INET, host.c_str(), &address.sin_addr);
        bound = bind(fd, (sockaddr *) &address, sizeof address);
    }
    if (fd >= 0 && bound == 0 && listen(fd, 16) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static size_t length_of(const std::string & head) {
    for (size_t at = 0; (at = head.find('\n', at)) != std::string::npos;) {
        at++;
        if (strncasecmp(head.c_str() + at, "content-length:", 15) == 0) return strtoul(head.c_str() + at + 15, nullptr, 10);
    }
    return 0;
}

static void talk(int fd, const std::function<std::string(const std::string &, const std::string &)> & answer) {
    std::string all;
    char buffer[65536];
    for (;;) {
        const size_t end = all.find("\r\n\r\n");
        if (end != std::string::npos && all.size() >= end + 4 + length_of(all.substr(0, end))) {
            const size_t from = all.find(' ') + 1;
            const std::string body = answer(all.substr(from, all.find(' ', from) - from), all.substr(end + 4));
            const std::string text = std::string("HTTP/1.1 ") + (body.empty() ? "404 Not Found" : "200 OK")
                + "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size())
                + "\r\n\r\n" + body;
            for (size_t sent = 0; sent < text.size();) {
                const ssize_t count = write(fd, text.data() + sent, text.size() - sent);
                if (count <= 0) break;
                sent += (size_t) count;
            }
            break;
        }
        const ssize_t count = read(fd, buffer, sizeof buffer);
        if (count <= 0) break;
        all.append(buffer, (size_t) count);
    }
    close(fd);
}

bool http_serve(const std::string & host, int port, const volatile sig_atomic_t & ended,
                const std::function<std::string(const std::string &, const std::string &)> & answer) {
    const int fd = listen_on(host, port);
    if (fd < 0) return false;
    while (!ended) {
        pollfd waiting = {fd, POLLIN, 0};
        if (poll(&waiting, 1, 100) <= 0) continue;
        const int client = accept(fd, nullptr, nullptr);
        if (client >= 0) std::thread(talk, client, std::cref(answer)).detach();
    }
    close(fd);
    return true;
}

// The text behind `"name":`.
static const char * member(const std::string & body, const char * name) {
    const std::string key = std::string("\"") + name + "\":";
    const size_t at = body.find(key);
    return at == std::string::npos ? "" : body.c_str() + at + key.size();
}

std::string json_string(const std::string & body, const char * name) {
    std::string text;
    const char * at = member(body, name);
    if (*at != '"') return text;
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) at++, text += *at == 'n' ? '\n' : *at;
        else text += *at;
    }
    return text;
}

double json_number(const std::string & body, const char * name) {
    return strtod(member(body, name), nullptr);
}

std::vector<int> json_integers(const std::string & body, const char * name) {
    std::vector<int> all;
    const char * at = member(body, name);
    if (*at != '[') return all;
    for (at++; *at && *at != ']';) {
        char * end = nullptr;
        const long number = strtol(at, &end, 10);
        if (end == at) break;
        all.push_back((int) number);
        at = *end == ',' ? end + 1 : end;
    }
    return all;
}
