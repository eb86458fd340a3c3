"""Values as ordinary clients put them into addresses, fresh from one seeded source."""

import base64
import json
import random
import string
import urllib.parse

WORDS = (
    "amber anchor apple autumn bakery barrel basket beacon bicycle blanket bridge bright bronze butter cabin camera canal "
    "candle canvas carbon castle cedar ceiling cellar cherry circle cloud coast cobalt copper corner cotton courier cradle "
    "crystal dancer desert dinner dolphin dragon eagle ember engine fabric falcon farmer feather filter finger flower forest "
    "fossil garden ginger glacier granite harbor hazel helmet hollow island ivory jacket jungle kettle ladder lantern lemon "
    "linen magnet maple marble meadow mirror monkey morning mountain needle ocean olive orange orchard oyster paper parcel "
    "pepper pillow planet pocket prairie quartz rabbit ribbon river rocket saddle salmon shadow silver sparrow spring stable "
    "summit tailor temple thunder timber tunnel valley velvet violet walnut willow yellow"
).split()


class Values:
    """Values as clients make them."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self):
        return self.random.choice(WORDS)

    def words(self, low, high, joint="-"):
        return joint.join(self.word() for _ in range(self.random.randint(low, high)))

    def number(self, low, high):
        return self.random.randint(low, high)

    def data(self, count):
        return self.random.randbytes(count)

    def hex(self, characters):
        return self.data((characters + 1) // 2).hex()[:characters]

    def base64(self, count):
        return quote(base64.b64encode(self.data(count)))

    def base64url(self, count):
        return base64.urlsafe_b64encode(self.data(count)).decode().rstrip("=")

    def letters(self, count, alphabet=string.ascii_letters + string.digits):
        return "".join(self.random.choices(alphabet, k=count))

    def uuid(self):
        text = self.hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{self.random.choice('89ab')}{text[17:20]}-{text[20:]}"

    def pick(self, *values):
        return self.random.choice(values)

    def packed(self, value):
        """A value as JSON in URL-safe base 64."""
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()

    def jwt(self):
        head = {"alg": self.pick("RS256", "ES256", "HS256"), "typ": "JWT", "kid": self.hex(self.pick(8, 32, 40))}
        body = {"iss": f"https://{self.word()}.example", "sub": self.letters(21), "exp": self.moment()}
        parts = [self.packed(head).rstrip("="), self.packed(body).rstrip("="), self.base64url(self.pick(32, 64, 256))]
        return ".".join(parts)

    def moment(self):
        """Seconds since 1970, of late 2025 to early 2027: when something expires."""
        return self.number(1_760_000_000, 1_800_000_000)

    def when(self):
        return f"2026{self.number(1, 12):02}{self.number(1, 28):02}T{self.number(0, 23):02}{self.number(0, 59):02}00Z"


def quote(value):
    return urllib.parse.quote(value, safe="")
