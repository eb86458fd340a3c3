"""Request targets as ordinary clients write them, by kind of client (values: benign_values.py)."""

import base64
import json
import string
import zlib

from benign_values import quote

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
KANJI = "日本語研究開発時間東京大学新聞社会経済政治文化歴史"


# --- one function a kind: a target each time it is called ---------------------------------------------------------------


def sdk_pages(v):
    cursor = v.pick(
        lambda: "cursor=" + v.packed({"id": v.number(1, 10**9), "created_at": f"2026-0{v.number(1, 9)}-11T08:00:00Z"}),
        lambda: "cursor=" + quote(base64.b64encode(f"user:U0{v.letters(9).upper()}".encode())),
        lambda: "after=" + quote(base64.b64encode(b"cursor:v2:\x92\xb9" + f"2026-0{v.number(1, 9)}-01T00:00:00+02:00".encode() + b"\xce" + v.data(4))),
        lambda: "pageToken=" + v.base64url(v.number(12, 100)),
        lambda: "next_token=" + v.base64(v.number(48, 200)),
        lambda: f"starting_after={v.pick('cus', 'ch', 'in')}_{v.letters(24)}",
        lambda: "continue=" + v.packed({"v": "meta.k8s.io/v1", "rv": v.number(1, 10**9), "start": f"{v.words(2, 3)}-{v.letters(5).lower()}\0"}),
        lambda: f"offset={v.number(0, 9_999)}&sort=-created_at",
        lambda: f"since_id={v.number(10**17, 10**19 - 1)}&max_id={v.number(10**17, 10**19 - 1)}",
    )()
    return f"/v{v.number(1, 3)}/{v.word()}/{v.words(1, 3, '_')}?limit={v.number(10, 500)}&{cursor}"


def sdk_ids(v):
    return v.pick(
        lambda: f"/api/{v.word()}/{v.uuid()}/{v.word()}/{v.uuid()}?fields={v.words(2, 6, ',')}",
        lambda: f"/v1/traces/{v.hex(32)}?span={v.hex(16)}",
        lambda: f"/api/{v.word()}?ids={'%2C'.join(v.uuid() for _ in range(v.number(2, 12)))}",
        lambda: f"/{v.word()}/{v.hex(24)}/{v.word()}/{v.hex(24)}",
        lambda: f"/v1/{v.word()}/01{v.letters(24, '0123456789ABCDEFGHJKMNPQRSTVWXYZ')}",
        lambda: f"/item/{v.letters(21, string.ascii_letters + string.digits + '_-')}?etag=W%2F%22{v.hex(32)}%22",
        lambda: f"/node/{quote(base64.b64encode(f'{v.word().title()}:{v.number(1, 10**12)}'.encode()))}",
        lambda: f"/watch?v={v.base64url(8)}&list=PL{v.base64url(24)}&t={v.number(1, 999)}s",
        lambda: f"/d/{v.base64url(33)}/edit?usp=sharing",
        lambda: f"/v1/{v.word()}?request_id=req_{v.letters(24)}&idempotency_key={v.uuid()}",
    )()


def s3(v, token=False):
    credential = f"{v.pick('AKIA', 'ASIA')}{v.letters(16, string.ascii_uppercase + '234567')}/20261122/eu-west-1/s3/aws4_request"
    # The first letters of each such token are the same.
    session = "&X-Amz-Security-Token=" + quote("IQoJb3JpZ2luX2Vj" + base64.b64encode(v.data(v.number(300, 700))).decode())
    return (
        f"/{v.words(1, 3)}/{v.words(1, 3, '/')}.{v.pick('zip', 'parquet', 'json', 'png')}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={quote(credential)}&X-Amz-Date={v.when()}&X-Amz-Expires={v.number(60, 604_800)}"
        f"{session if token else ''}&X-Amz-SignedHeaders=host&X-Amz-Signature={v.hex(64)}"
        + v.pick("", "&x-id=GetObject", f"&response-content-disposition=attachment%3B%20filename%3D{v.word()}.zip")
    )


def s3_session(v):
    return s3(v, True)


def gcs(v):
    account = quote(f"{v.words(1, 2)}@{v.word()}-{v.number(100_000, 999_999)}.iam.gserviceaccount.com/20261122/auto/storage/goog4_request")
    return (
        f"/{v.words(1, 2)}/{v.words(1, 3, '/')}.bin?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential={account}"
        f"&X-Goog-Date={v.when()}&X-Goog-Expires={v.number(60, 9_999)}&X-Goog-SignedHeaders=host&X-Goog-Signature={v.hex(512)}"
    )


def azure(v):
    return (
        f"/{v.word()}/{v.words(1, 3, '/')}.blob?sv=2024-11-04&ss=b&srt=sco&sp=r&se=2026-12-{v.number(1, 28):02}T10%3A00%3A00Z"
        f"&st=2026-11-22T10%3A00%3A00Z&spr=https&skoid={v.uuid()}&sktid={v.uuid()}&sig={v.base64(32)}"
    )


def cloudfront(v):
    policy = {"Statement": [{"Resource": f"https://{v.word()}.example/{v.words(1, 3, '/')}*", "Condition": {"DateLessThan": {"AWS:EpochTime": v.moment()}}}]}
    table = str.maketrans("+=/", "-_~")
    signature = base64.b64encode(v.data(256)).decode().translate(table)
    until = v.pick(
        f"Policy={base64.b64encode(json.dumps(policy, separators=(',', ':')).encode()).decode().translate(table)}",
        f"Expires={v.moment()}",
    )
    return f"/{v.words(1, 3, '/')}.mp4?{until}&Signature={signature}&Key-Pair-Id=K{v.letters(13, string.ascii_uppercase + string.digits)}"


def oauth_start(v):
    state = v.pick(
        lambda: v.base64url(v.number(16, 90)), lambda: v.uuid(), lambda: v.hex(v.pick(32, 40, 64)),
        lambda: v.packed({"r": "/" + v.words(1, 4, "/"), "n": v.hex(16)}).rstrip("="),
    )()
    return (
        f"/oauth2/authorize?client_id={v.pick(v.uuid(), v.hex(20), str(v.number(10**11, 10**12)) + '-' + v.letters(32).lower() + '.apps.example')}"
        f"&redirect_uri={quote('https://' + v.word() + '.example/' + v.words(1, 3, '/'))}&response_type=code"
        f"&scope={quote('openid profile ' + v.word() + '.read')}&state={state}&nonce={v.base64url(v.pick(16, 32))}"
        f"&code_challenge={v.base64url(32)}&code_challenge_method=S256"
    )


def oauth_back(v):
    return v.pick(
        lambda: f"/callback?code={quote('4/0A' + v.base64url(54))}&state={v.base64url(v.number(16, 64))}&scope=email+profile&authuser=0&prompt=none",
        lambda: f"/callback?code=0.A{v.base64url(30)}.{v.base64url(v.number(300, 700))}&state={v.uuid()}&session_state={v.uuid()}",
        lambda: f"/cb?id_token={v.jwt()}&state={v.hex(32)}",
        lambda: f"/logout?id_token_hint={v.jwt()}&post_logout_redirect_uri={quote('https://' + v.word() + '.example/')}",
        lambda: f"/files/{v.words(1, 2)}?token={v.jwt()}",
    )()


def saml(v):
    text = (
        f'<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_{v.hex(32)}" Version="2.0" '
        f'IssueInstant="2026-11-22T10:00:{v.number(0, 59):02}Z" Destination="https://{v.word()}.example/sso"><saml:Issuer>'
        f"https://{v.words(1, 3)}.example/</saml:Issuer></samlp:AuthnRequest>"
    )
    deflated = zlib.compress(text.encode())[2:-4]
    return (
        f"/sso/saml2?SAMLRequest={quote(base64.b64encode(deflated))}&RelayState={quote('https://' + v.word() + '.example/' + v.words(1, 4, '/'))}"
        f"&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256&Signature={v.base64(256)}"
    )


def webpack(v):
    return v.pick(
        lambda: f"/static/js/{v.number(1, 999)}.{v.hex(v.pick(8, 20))}.chunk.js",
        lambda: f"/_next/static/chunks/{v.words(1, 2)}-{v.hex(16)}.js",
        lambda: f"/_next/static/{v.base64url(15)}/_buildManifest.js",
        lambda: f"/_next/image?url={quote('/images/' + v.words(1, 4) + '.png')}&w={v.number(64, 3840)}&q=75",
        lambda: f"/assets/{v.word().title()}{v.word().title()}{v.word().title()}.{v.hex(32)}.css",
    )()


def vite(v):
    return f"/assets/{v.words(1, 4)}-{v.base64url(6)}.{v.pick('js', 'css', 'woff2', 'svg')}"


def hashed_assets(v):
    return v.pick(
        lambda: f"/static/{v.hex(64)}.{v.pick('js', 'css', 'png', 'wasm')}",
        lambda: f"/assets/{v.words(1, 3)}-{v.hex(64)}.js",
        lambda: f"/cas/{v.hex(2)}/{v.hex(2)}/{v.hex(64)}",
        lambda: f"/{v.word()}.css?v={v.hex(v.pick(8, 32, 40, 64))}",
        lambda: f"/{v.word()}.js?{v.hex(v.pick(8, 32))}",
    )()


def oci(v):
    return v.pick(
        lambda: f"/v2/{v.words(1, 2, '/')}/blobs/sha256:{v.hex(64)}",
        lambda: f"/v2/{v.words(1, 3, '/')}/manifests/sha256:{v.hex(64)}",
        lambda: f"/docker/registry/v2/blobs/sha256/{v.hex(2)}/{v.hex(64)}/data?verify={v.number(10**9, 2 * 10**9)}-{v.base64(20)}",
        lambda: f"/token?scope=repository%3A{v.words(1, 2, '%2F')}%3Apull&service=registry.example",
    )()


def npm(v):
    return v.pick(
        lambda: f"/@{v.word()}/{v.words(1, 3)}/-/{v.words(1, 3)}-{v.number(0, 20)}.{v.number(0, 40)}.{v.number(0, 9)}.tgz",
        lambda: f"/@{v.word()}%2f{v.words(1, 3)}",
        lambda: f"/{v.words(1, 4)}/-/{v.words(1, 4)}-1.0.0-canary.{v.hex(40)}.tgz",
        lambda: f"/-/npm/v1/attestations/@{v.word()}%2f{v.word()}@{v.number(1, 9)}.0.0",
    )()


def fonts(v):
    return v.pick(
        lambda: f"/s/{v.word()}/v{v.number(1, 60)}/{v.base64url(v.number(20, 110))}.woff2",
        lambda: f"/css2?family={v.word().title()}+{v.word().title()}:ital,wght@0,400;0,700;1,400&display=swap",
        lambda: f"/l/font?kit={v.base64url(v.number(60, 120))}&skey={v.hex(16)}&v=v{v.number(1, 30)}",
    )()


def maps(v):
    return v.pick(
        lambda: f"/maps/vt?pb=!1m5!1m4!1i{v.number(1, 20)}!2i{v.number(1, 99_999)}!3i{v.number(1, 99_999)}!4i256!2m3!1e0!2sm!3i{v.number(1, 10**9)}"
        f"!3m12!2sen!3sUS!5e18!12m4!1e68!2m2!1sset!2sRoadmap!4e0!5m1!5f2!23i{v.number(10**6, 10**8)}&key=AIza{v.base64url(26)}&token={v.number(1, 99_999)}",
        lambda: f"/maps/api/staticmap?center={v.number(-90, 90)}.{v.number(0, 10**6)},{v.number(-180, 180)}.{v.number(0, 10**6)}&zoom=13&size=600x300&key=AIza{v.base64url(26)}&signature={v.base64url(20)}",
        lambda: f"/maps/place/{v.words(2, 4, '+')}/@{v.number(-90, 90)}.{v.number(0, 10**7)},{v.number(-180, 180)}.{v.number(0, 10**7)},17z/data=!3m1!4b1!4m6!3m5!1s0x{v.hex(16)}:0x{v.hex(16)}!8m2!3d{v.number(1, 80)}.1!4d2.2!16s%2Fg%2F11{v.letters(8).lower()}",
    )()


def analytics(v):
    page = f"https://{v.word()}.example/{v.words(1, 6, '/')}?utm_source={v.word()}&utm_campaign={v.words(2, 4, '_')}"
    return v.pick(
        lambda: f"/g/collect?v=2&tid=G-{v.letters(10).upper()}&gtm=45je6b{v.number(10, 99)}v{v.number(10**8, 10**9)}za200&_p={v.number(10**12, 10**13)}&gcd=13l3l3l3l1l1&npa=0&dma=0"
        f"&cid={v.number(10**8, 10**10)}.{v.number(10**9, 2 * 10**9)}&ul=en-us&sr=1920x1080&_s=1&sid={v.number(10**9, 2 * 10**9)}&dl={quote(page)}&dt={quote(v.words(3, 9, ' '))}&en=page_view&_et={v.number(1, 9_999)}",
        lambda: f"/gtm.js?id=GTM-{v.letters(7).upper()}&l=dataLayer&gtm_auth={v.base64url(16)}&gtm_preview=env-{v.number(1, 99)}&gtm_cookies_win=x",
        lambda: f"/tr?id={v.number(10**14, 10**16)}&ev=PageView&dl={quote(page)}&rl=&if=false&ts={v.number(10**12, 2 * 10**12)}&fbp=fb.1.{v.number(10**12, 2 * 10**12)}.{v.number(10**17, 10**18)}&it={v.number(10**12, 2 * 10**12)}&coo=false",
        lambda: f"/landing/{v.word()}?gclid={v.pick('Cj0KCQ', 'EAIaIQob')}{v.base64url(v.number(40, 70))}_BwE&gbraid=0AAAA{v.base64url(24)}",
        lambda: f"/b/ss/{v.word()}/1/JS-2.22.0/s{v.number(10**13, 10**14)}?AQB=1&ndh=1&pf=1&t={quote(f'22/10/2026 1{v.number(0, 9)}:0:0 0 0')}&mid={v.number(10**37, 10**38 - 1)}&pageName={quote(v.words(3, 6, ':'))}&g={quote(page)}",
    )()


def media(v):
    return v.pick(
        lambda: f"/live/{v.words(1, 2)}/{v.number(1, 9)}.m3u8?hdnts=exp={v.moment()}~acl=/live/*~hmac={v.hex(64)}",
        lambda: f"/seg-{v.number(1, 999)}.ts?st={v.base64url(16)}&e={v.moment()}",
        lambda: f"/videoplayback?expire={v.moment()}&ei={v.base64url(16)}&ip=192.0.2.{v.number(1, 254)}&id=o-A{v.base64url(32)}&itag=248&source=youtube&requiressl=yes&mh={v.letters(2)}&mm=31%2C29"
        f"&sparams=expire%2Cei%2Cip%2Cid%2Citag%2Csource&sig=AJfQdSsw{v.base64url(69)}&lsparams=mh%2Cmm&lsig=ACJ0pHg{v.base64url(60)}",
        lambda: f"/attachments/{v.number(10**17, 10**19)}/{v.number(10**17, 10**19)}/{v.word()}.png?ex={v.hex(8)}&is={v.hex(8)}&hm={v.hex(64)}&",
        lambda: f"/media/{v.base64url(11)}?format=jpg&name=medium",
        lambda: f"/rs:fit:{v.number(100, 999)}:{v.number(100, 999)}/g:sm/{v.base64url(9)}.webp",
    )()


def ocsp(v):
    algorithm = bytes.fromhex("300906052b0e03021a0500")
    serial = v.data(v.pick(9, 16, 18))
    certificate = algorithm + b"\x04\x14" + v.data(20) + b"\x04\x14" + v.data(20) + b"\x02" + bytes([len(serial)]) + serial
    for _ in range(5):
        certificate = b"\x30" + bytes([len(certificate)]) + certificate
    return "/" + v.pick("", "ocsp/") + quote(base64.b64encode(certificate))


def cdn(v):
    return v.pick(
        lambda: f"/{v.words(1, 3, '/')}.jpg?verify={v.moment()}-{v.base64(32)}",
        lambda: f"/{v.words(1, 3, '/')}.zip?token={v.hex(64)}&expires={v.moment()}",
        lambda: f"/{v.words(1, 3, '/')}.bin?md5={v.base64url(16)}&expires={v.moment()}",
        lambda: f"/cdn-cgi/challenge-platform/h/b/scripts/jsd/{v.hex(12)}/main.js",
        lambda: f"/cdn-cgi/image/width={v.number(10, 999)},quality=75,format=auto/{v.words(1, 3, '/')}.png",
        lambda: f"/a/{v.base64url(v.number(40, 90))}=s{v.number(32, 512)}-c",
        lambda: f"/{v.words(1, 2)}?__cf_chl_tk={v.base64url(32)}-{v.moment()}-1.0.1.1-{v.base64url(32)}",
    )()


def code_hosting(v):
    return v.pick(
        lambda: f"/{v.word()}/{v.words(1, 3)}/archive/{v.hex(40)}.tar.gz",
        lambda: f"/{v.word()}/{v.words(1, 3)}/raw/{v.hex(40)}/{v.words(1, 4, '/')}.md",
        lambda: f"/{v.word()}/{v.words(1, 2)}/compare/{v.hex(40)}...{v.hex(40)}",
        lambda: f"/{v.words(1, 2)}.git/info/refs?service=git-upload-pack",
        lambda: f"/{v.word()}/{v.word()}/@v/v0.0.0-20260101000000-{v.hex(12)}.zip",
        lambda: f"/{v.word()}/{v.words(1, 3)}/info/lfs/objects/{v.hex(64)}",
    )()


def models(v):
    return v.pick(
        lambda: f"/{v.word()}/{v.words(1, 3)}/resolve/{v.hex(40)}/model-0000{v.number(1, 9)}-of-00009.safetensors",
        lambda: f"/api/models/{v.word()}/{v.words(1, 3)}/revision/{v.hex(40)}",
        lambda: f"/api/datasets/{v.word()}/{v.word()}/tree/main?recursive=true&cursor={v.base64(v.number(40, 120))}",
    )()


def searches(v):
    return v.pick(
        lambda: f"/search?q={v.words(1, 9, '+')}&oq={v.words(1, 4, '+')}&gs_lcrp=EgZjaHJvbWUyBggAEEUYOTIHCAEQABiABD{v.base64url(v.number(10, 60))}&sourceid=chrome&ie=UTF-8",
        lambda: f"/search?q={v.words(1, 5, '+')}&sca_esv={v.hex(16)}&ei={v.base64url(16)}&ved=0ahUKEwj{v.base64url(24)}&uact=5&oq={v.words(1, 3, '+')}&sclient=gws-wiz-serp",
        lambda: f"/?q={quote(v.words(2, 12, ' '))}&form=QBLH&sp=-1&ghc=1&qs=n&sk=&cvid={v.hex(32).upper()}",
        lambda: f"/l/?uddg={quote('https://' + v.words(1, 2) + '.example/' + v.words(1, 6, '/'))}&rut={v.hex(64)}",
        lambda: f"/?q={quote('error: ' + v.words(2, 5, ' ') + ' (0x' + v.hex(8) + ')')}&t=h_&ia=web",
        lambda: f"/complete/search?client=gws-wiz&q={quote(v.words(1, 3, ' '))}&xssi=t&psi={v.base64url(16)}.{v.number(10**12, 2 * 10**12)}",
    )()


def languages(v):
    cyrillic = "_".join("".join(v.random.choices(CYRILLIC, k=v.number(3, 14))) for _ in range(v.number(1, 7)))
    kanji = "".join(v.random.choices(KANJI, k=v.number(3, 30)))
    return v.pick(
        lambda: "/wiki/" + quote(cyrillic), lambda: "/wiki/" + quote(kanji), lambda: f"/search?q={quote(kanji)}&l=ja",
        lambda: f"/login?next={quote('/redirect?to=' + quote('https://' + v.word() + '.example/' + cyrillic))}",
        lambda: f"/suche?q={quote(v.word() + ' größe für ' + v.word() + ' über ' + v.word())}",
    )()


def news(v):
    return v.pick(
        lambda: f"/{v.number(2000, 2026)}/{v.number(1, 12):02}/{v.number(1, 28):02}/{v.word()}/{v.words(5, 16)}.html",
        lambda: f"/{v.word()}/{v.words(4, 14)}-{v.number(10**5, 10**9)}",
        lambda: f"/@{v.words(1, 2, '.')}/{v.words(4, 12)}-{v.hex(12)}",
        lambda: f"/questions/{v.number(10**5, 10**8)}/{v.words(4, 14)}?rq=1",
        lambda: f"/comments/{v.letters(7).lower()}/{v.words(4, 12, '_')}/?share_id={v.base64url(15)}&utm_medium=web3x",
        lambda: f"/article/{v.words(5, 12)}-{v.letters(26, string.ascii_uppercase + '234567')}",
    )()


def redirects(v):
    target = f"https://{v.words(1, 2)}.example/{v.words(1, 6, '/')}?id={v.number(1, 10**6)}&q={v.words(1, 4, '+')}"
    return v.pick(
        lambda: f"/url?sa=t&url={quote(target)}&ved=2ahUKEwj{v.base64url(24)}&usg=AOvVaw{v.base64url(16)}&opi={v.number(10**7, 10**8)}",
        lambda: f"/login?return_to={quote(target)}",
        lambda: f"/sso?RelayState={quote(quote(target))}",
        lambda: f"/signin?continue={quote('https://' + v.word() + '.example/ServiceLogin?continue=' + quote(target))}&service={v.word()}",
        lambda: f"/unsubscribe?token={v.hex(64)}&email={quote(v.word() + '@' + v.word() + '.example')}",
        lambda: f"/reset?reset_token={v.base64url(v.pick(20, 32, 48))}",
    )()


def java_and_linux(v):
    return v.pick(
        lambda: f"/maven2/org/{v.words(2, 4, '/')}/{v.number(1, 9)}.{v.number(0, 30)}/{v.words(1, 4)}-{v.number(1, 9)}.jar.sha256",
        lambda: f"/ubuntu/pool/main/{v.letters(1).lower()}/{v.words(1, 3)}/{v.words(1, 3)}_{v.number(1, 9)}%3a{v.number(1, 9)}.{v.number(0, 99)}%2bdfsg-{v.number(1, 9)}ubuntu0.1_amd64.deb",
        lambda: f"/repodata/{v.hex(64)}-primary.xml.zst",
        lambda: f"/{v.letters(32, '0123456789abcdfghijklmnpqrsvwxyz')}.narinfo",
        lambda: f"/nar/{v.letters(52, '0123456789abcdfghijklmnpqrsvwxyz')}.nar.xz",
        lambda: f"/bottles/{v.words(1, 2)}--{v.number(1, 9)}.{v.number(0, 9)}.x86_64_linux.bottle.tar.gz",
        lambda: f"/crates/{v.words(1, 2)}/{v.words(1, 2)}-{v.number(0, 3)}.{v.number(0, 20)}.0.crate",
        lambda: f"/linux-64/{v.words(1, 2)}-{v.number(1, 9)}.0-py312h{v.hex(7)}_{v.number(0, 4)}.conda",
        lambda: f"/buildid/{v.hex(40)}/debuginfo",
    )()


def graphql(v):
    query = f"query {v.word().title()}($id:ID!){{{v.word()}(id:$id){{id {v.words(1, 5, ' ')}}}}}"
    return v.pick(
        lambda: f"/graphql?operationName={v.word().title()}Query&variables={quote(json.dumps({'id': v.uuid(), 'first': v.number(1, 99)}))}"
        f"&extensions={quote(json.dumps({'persistedQuery': {'version': 1, 'sha256Hash': v.hex(64)}}))}",
        lambda: f"/graphql?query={quote(query)}&variables={quote(json.dumps({'id': v.number(1, 10**9)}))}",
        lambda: f"/i/api/graphql/{v.base64url(16)}/{v.word().title()}Timeline?variables={quote(json.dumps({'userId': str(v.number(10**8, 10**19)), 'count': 20, 'includePromotedContent': True}))}",
        lambda: f"/odata/{v.word().title()}s?$filter={quote(v.word() + ' eq ' + v.uuid())}&$select={v.words(2, 6, ',')}&$skiptoken={v.base64url(v.number(30, 90))}",
    )()


KINDS = {
    "SDK: pages and cursors": sdk_pages, "SDK: identifiers": sdk_ids, "signed: S3": s3, "signed: S3 with session": s3_session,
    "signed: Google Cloud Storage": gcs, "signed: Azure": azure, "signed: CloudFront": cloudfront, "OAuth: start": oauth_start,
    "OAuth: return, JWT": oauth_back, "SAML": saml, "assets: webpack, Next.js": webpack, "assets: Vite": vite,
    "assets: digests": hashed_assets, "container registry": oci, "npm registry": npm, "fonts": fonts, "maps": maps,
    "analytics": analytics, "media, signed": media, "OCSP": ocsp, "CDN tokens": cdn, "code hosting": code_hosting,
    "models": models, "web search": searches, "other scripts": languages, "articles": news, "redirects, forms": redirects,
    "package mirrors": java_and_linux, "GraphQL, OData": graphql,
}
