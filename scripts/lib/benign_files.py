"""What the clients of scripts/benign.py fetch: an index, a repository, an archive and a site, and their server."""

import hashlib
import http.server
import json
import shutil
import socketserver
import subprocess
import sys
import urllib.parse
import zipfile

PORT = 8080  # beside the lab's own server


def make_index(root, values):
    """A package index: simple/NAME/ pages whose links carry digests, as the public one has them."""
    names = [f"{values.word()}-{values.word()}-{number}" for number in range(25)]
    for name in names:
        flat = name.replace("-", "_")
        wheel = f"{flat}-1.0-py3-none-any.whl"
        place = root / "packages" / values.hex(2) / values.hex(2) / values.hex(60)
        place.mkdir(parents=True)
        with zipfile.ZipFile(place / wheel, "w") as archive:
            archive.writestr(f"{flat}.py", f"# {values.hex(40)}\n")
            archive.writestr(f"{flat}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{flat}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{flat}-1.0.dist-info/RECORD", "")
        digest = hashlib.sha256((place / wheel).read_bytes()).hexdigest()
        page = root / "simple" / name
        page.mkdir(parents=True)
        (page / "index.html").write_text(
            f'<!DOCTYPE html><html><body><a href="/{place.relative_to(root)}/{wheel}#sha256={digest}">{wheel}</a></body></html>'
        )
    return names


def make_repository(root, values):
    """A bare repository over dumb HTTP: an object a request, each named by its digest."""
    work = root.parent / "git-work"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "gc.auto=0", "-C", str(work)]
    work.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    for commit in range(10):
        for number in range(20):
            (work / f"{values.word()}-{commit}-{number}.txt").write_text(values.hex(200))
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", values.words(2, 6, " ")], check=True)
    shutil.copytree(work / ".git", root / "work.git")
    subprocess.run(["git", "-C", str(root / "work.git"), "update-server-info"], check=True)


def make_archive(root, values):
    """An archive with by-hash indexes, as Debian's."""
    suite = root / "debian/dists/stable"
    components = [f"{values.word()}{number}" for number in range(12)]
    digests = []
    for component in components:
        place = suite / component / "binary-amd64"
        name = f"{component}-{values.word()}"
        pool = f"pool/{component}/{name[0]}/{name}/{name}_1.{values.number(0, 9)}-1+deb13u1_all.deb"
        package = root.parent / f"package-{component}"
        (package / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: {values.hex(64)}\n"
        (package / "DEBIAN/control").write_text(control)
        (root / "debian" / pool).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-b", str(package), str(root / "debian" / pool)], check=True, stdout=subprocess.DEVNULL)
        deb = (root / "debian" / pool).read_bytes()
        (place / "by-hash/SHA256").mkdir(parents=True)
        index = (control + f"Filename: {pool}\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\n\n").encode()
        digest = hashlib.sha256(index).hexdigest()
        (place / "Packages").write_bytes(index)
        (place / "by-hash/SHA256" / digest).write_bytes(index)
        digests.append(f" {digest} {len(index)} {component}/binary-amd64/Packages")
    head = f"Origin: lab\nSuite: stable\nCodename: stable\nDate: Sat, 21 Nov 2026 10:00:00 UTC\nAcquire-By-Hash: yes\nArchitectures: amd64\nComponents: {' '.join(components)}\nSHA256:\n"
    (suite / "Release").write_text(head + "\n".join(digests) + "\n")
    return components


def make_site(root, values, kinds):
    """Pages with hashed assets, data and pixels."""
    site = root / "site"
    (site / "assets").mkdir(parents=True)
    pixel = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
    for page in range(3):
        tags = []
        for _ in range(40):
            name = f"assets/{values.word()}-{values.pick(values.hex(8), values.base64url(6), values.hex(64))}"
            kind = values.pick("js", "css", "gif")
            (site / f"{name}.{kind}").write_bytes({"js": b"let x = 1;", "css": b"body{}", "gif": pixel}[kind])
            source = f"/site/{name}.{kind}"
            tags.append({"js": f'<script type="module" src="{source}"></script>', "css": f'<link rel="stylesheet" href="{source}">', "gif": f'<img src="{source}">'}[kind])
        data = ["/data" + make(values) for _ in range(2) for make in kinds.values() if make is not kinds["OCSP"]]
        script = f"(async () => {{ for (const target of {json.dumps(data)}) await fetch(target); document.title = 'done'; }})();"
        (site / f"{page}.html").write_text(f"<!DOCTYPE html><title>x</title>{''.join(tags)}<script>{script}</script>")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves files on kept connections."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that closes its connection is no error."""


def as_server(directory, log):
    """The internet's part: the files of pip, git, apt and the browser; one line of log a request."""
    out = open(log, "a", buffering=1)

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=directory)

        def do_GET(self):
            if urllib.parse.urlsplit(self.path).path.startswith("/data/"):
                body = b'{"items": []}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            else:
                super().do_GET()

        def log_request(self, code="-", size="-"):
            out.write(json.dumps({"host": (self.headers.get("Host") or "").partition(":")[0], "status": str(code)}) + "\n")

        def log_error(self, *arguments):
            pass

    Server(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    as_server(*sys.argv[1:])
