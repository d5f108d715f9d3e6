import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULTS, type Endpoint } from "../../src/config/config.ts";
import { nameEndpoints, refuseOpsConflict } from "../../src/config/endpoint-names.ts";
import { formatAddress, formatEndpoint, parseEndpoint } from "../../src/config/endpoint.ts";

const CONTEXT = { cwd: "/srv/app", backlog: 4096, maxConnections: 0, limits: DEFAULTS.limits };
const COMMON = {
  backlog: 4096,
  maxConnections: 0,
  limits: DEFAULTS.limits,
  proxyProtocol: "off",
  name: undefined,
};
const UNIX = { kind: "unix", mode: 0o660, group: undefined, owner: undefined, ...COMMON };

function parseAll(texts: readonly string[]): readonly Endpoint[] {
  return nameEndpoints(texts.map((text) => parseEndpoint(text, CONTEXT)));
}

describe("parseEndpoint", () => {
  const understood: Record<string, object> = {
    "/run/app.sock": { ...UNIX, path: "/run/app.sock" },
    "/run/a:b.sock": { ...UNIX, path: "/run/a:b.sock" },
    "/run/../run//app.sock": { ...UNIX, path: "/run/app.sock" },
    "./app.sock": { ...UNIX, path: "/srv/app/app.sock" },
    "../app.sock": { ...UNIX, path: "/srv/app.sock" },
    "app.sock": { ...UNIX, path: "/srv/app/app.sock" },
    "run/app": { ...UNIX, path: "/srv/app/run/app" },
    "unix:/run/app.sock": { ...UNIX, path: "/run/app.sock" },
    "unix:///run/app.sock": { ...UNIX, path: "/run/app.sock" },
    "unix:app": { ...UNIX, path: "/srv/app/app" },
    "unix:8080": { ...UNIX, path: "/srv/app/8080" },
    "/run/my app.sock": { ...UNIX, path: "/run/my app.sock" },
    "/run/a%3Fb%3f.sock?mode=600": { ...UNIX, path: "/run/a?b?.sock", mode: 0o600 },
    "unix:/run/100%25%.sock": { ...UNIX, path: "/run/100%%.sock" },
    "/run/a%253F%20.sock": { ...UNIX, path: "/run/a%3F%20.sock" },
    "/run/a.sock?mode=600": { ...UNIX, path: "/run/a.sock", mode: 0o600 },
    "/run/a.sock?mode=0777&group=nginx&owner=1000": {
      ...UNIX, path: "/run/a.sock", mode: 0o777, group: "nginx", owner: "1000",
    },
    "/run/a.sock?name=web&backlog=10&max-connections=5": {
      ...UNIX, path: "/run/a.sock", name: "web", backlog: 10, maxConnections: 5,
    },
    "@app": { kind: "abstract", abstractName: "app", ...COMMON },
    "@app?backlog=1": { kind: "abstract", abstractName: "app", ...COMMON, backlog: 1 },
    "0.0.0.0:8080": { kind: "tcp", host: "0.0.0.0", port: 8080, ...COMMON },
    "LocalHost:8080": { kind: "tcp", host: "localhost", port: 8080, ...COMMON },
    "my-host.example.com:1": { kind: "tcp", host: "my-host.example.com", port: 1, ...COMMON },
    "[::1]:8080": { kind: "tcp", host: "::1", port: 8080, ...COMMON },
    "[0:0:0:0:0:0:0:1]:8080": { kind: "tcp", host: "::1", port: 8080, ...COMMON },
    "[fe80::1%eth0]:80": { kind: "tcp", host: "fe80::1%eth0", port: 80, ...COMMON },
    ":8080": { kind: "tcp", host: "::", port: 8080, ...COMMON },
    ":0": { kind: "tcp", host: "::", port: 0, ...COMMON },
    "127.0.0.1:65535": { kind: "tcp", host: "127.0.0.1", port: 65_535, ...COMMON },
    "fd:3": { kind: "handed", source: { by: "descriptor", descriptor: 3 }, found: undefined, ...COMMON },
    "systemd:web?name=shop": {
      kind: "handed", source: { by: "name", socketName: "web" }, found: undefined, ...COMMON, name: "shop",
    },
    "systemd:a@b-1.socket": {
      kind: "handed", source: { by: "name", socketName: "a@b-1.socket" }, found: undefined, ...COMMON,
    },
    ":80?tls-cert=a.pem&tls-key=/b%26c%2525.pem": {
      kind: "tcp", host: "::", port: 80, ...COMMON,
      tls: { cert: "/srv/app/a.pem", key: "/b&c%25.pem", ca: undefined, clientAuth: "none", minVersion: "1.2" },
    },
    "@app?tls-cert=a&tls-key=b&tls-ca=c&tls-min=1.3": {
      kind: "abstract", abstractName: "app", ...COMMON,
      tls: { cert: "/srv/app/a", key: "/srv/app/b", ca: "/srv/app/c", clientAuth: "require", minVersion: "1.3" },
    },
    ":80?http=1": { kind: "tcp", host: "::", port: 80, ...COMMON, http: "1" },
    ":80?proxy-protocol=off": { kind: "tcp", host: "::", port: 80, ...COMMON },
    ":80?proxy-protocol=require": { kind: "tcp", host: "::", port: 80, ...COMMON, proxyProtocol: "require" },
  }; // prettier-ignore
  for (const [text, endpoint] of Object.entries(understood)) {
    it(`understands ${text}`, () => assert.deepEqual(parseEndpoint(text, CONTEXT), endpoint));
  }

  const refused: Record<string, RegExp> = {
    "": /expected an endpoint such as/,
    "  ": /expected an endpoint such as/,
    " :80": /white space/,
    ":80\n": /white space/,
    "?mode=0660": /address is missing/,
    "8080": /^Cannot use "8080": a port is written with a colon: did you mean ":8080"$/,
    "localhost": /did you mean "\.\/localhost" or "localhost:8000"/,
    "127.0.0.1": /did you mean "\.\/127\.0\.0\.1" or "127\.0\.0\.1:8000"/,
    ":99999": /port 99999 is out of range: expected 0 to 65535/,
    ":65536": /out of range/,
    ":-1": /number from 0 to 65535/,
    "localhost:http": /number from 0 to 65535, and "http" is none/,
    "127.0.0.1:": /port is missing: did you mean "127\.0\.0\.1:8000"/,
    ":": /port is missing/,
    "[::1]": /port is missing: did you mean "\[::1\]:8000"/,
    "[::1]8080": /port is missing/,
    "[::1]:": /port is missing/,
    "[::g]:80": /IPv6 address between the brackets/,
    "[]:80": /IPv6 address between the brackets/,
    "[::1": /brackets|colon/,
    "::1:5000": /brackets: did you mean "\[::1\]:5000"/,
    "fe80::a": /brackets and a port: did you mean "\[fe80::a\]:8000"/,
    "a:b:80": /more than one colon/,
    "*:8080": /did you mean ":8080"/,
    "999.1.1.1:80": /not an IPv4 address/,
    "127.1:80": /not an IPv4 address/,
    "8080:80": /not an IPv4 address/,
    "my host:80": /not a host name/,
    "-a:80": /not a host name/,
    "user@host:80": /not a host name/,
    "tcp://127.0.0.1:80": /not a URL: did you mean "127\.0\.0\.1:80"/,
    "http://localhost:80/x": /not a URL: did you mean "localhost:80"/,
    "unix:": /path is missing/,
    "unix://run/app.sock": /did you mean "unix:\/run\/app\.sock"/,
    "unix:@app": /written without unix: as "@app"/,
    "~/app.sock": /~ means nothing here/,
    "unix:~/app.sock": /~ means nothing here/,
    "/run/": /names a folder/,
    "/": /names a folder/,
    "./": /names a folder/,
    "/run/..": /names a folder/,
    "unix:.": /names a folder/,
    "/run/a\nb.sock": /control character/,
    "/run/a\0b.sock": /control character/,
    "unix:/run/a.sock ": /white space/,
    "a\nb": /did you mean "\.\/a\\u000ab"/,
    "@": /expected a name after the @/,
    "@a\0b": /control character/,
    "fd:1": /descriptor above 2/,
    "fd:x": /descriptor above 2/,
    "fd:": /descriptor above 2/,
    "fd:3.5": /descriptor above 2/,
    "systemd:": /expected the name of a descriptor/,
    "systemd:a b": /expected the name of a descriptor/,
    "systemd": /expected which socket is meant: did you mean "systemd:NAME" or "fd:3"/,
    "fd:3?mode=0660": /option "mode" is for a file that we make, and this socket is made by whoever hands it over/,
    "systemd:web?group=www": /option "group" is for a file that we make/,
    "/run/a.sock?mod=0660": /unknown option "mod": did you mean "mode"/,
    "/run/a.sock?zzzzzzzz=1": /unknown option "zzzzzzzz": expected one of mode, group/,
    "/run/a.sock?": /unknown option ""/,
    "/run/a.sock?mode": /option "mode" has no value/,
    "/run/a.sock?mode=": /option "mode" has no value/,
    "/run/a.sock?mode=0660&mode=0600": /given twice/,
    "/run/a.sock?mode=0888": /mode "0888" is refused, expected an octal mode such as 0660/,
    "/run/a.sock?mode=1777": /octal mode/,
    "/run/a.sock?mode=u=rw": /octal mode/,
    "/run/a.sock?mode=60": /octal mode/,
    "/run/a.sock?group=a b": /group "a b" is refused, expected a name/,
    "/run/a.sock?owner=-1": /owner "-1" is refused/,
    ":80?backlog=0": /backlog "0" is refused, expected a whole number, 1 or more/,
    ":80?max-connections=-1": /expected a whole number, 0 or more/,
    ":80?max-header-size=0": /max-header-size "0" is refused, expected 1Ki to 16Mi/,
    ":80?max-body-size=1000": /max-body-size "1000" is refused, expected a size such as 512Mi/,
    ":80?headers-timeout=5": /headers-timeout "5" is refused, expected a duration such as 30s.*did you mean 5s/,
    ":80?max-streams=0": /max-streams "0" is refused, expected a whole number, 1 or more/,
    ":80?max-headers=x": /max-headers "x" is refused, expected a whole number/,
    ":80?name=a b": /name "a b" is refused/,
    ":80?mode=0660": /option "mode" is for the file of a Unix socket, and a TCP endpoint has none/,
    ":80?group=a": /option "group"/,
    "@app?owner=a": /option "owner" is for the file of a Unix socket, and an abstract socket has none/,
    ":80?http=3": /http "3" is refused, expected one of 1, 2, auto/,
    ":80?tls-cert=a": /tls-cert is given without tls-key/,
    ":80?tls-key=a": /tls-key is given without tls-cert/,
    ":80?tls-ca=a": /tls-ca is given without tls-cert and tls-key/,
    ":80?tls-min=1.3": /tls-min is given without tls-cert and tls-key/,
    ":80?tls-cert=a&tls-key=b&tls-client-auth=require": /tls-client-auth is given without tls-ca: name the authority/,
    ":80?tls-cert=a&tls-key=b&tls-ca=c&tls-client-auth=yes": /tls-client-auth "yes" is refused, expected one of require, request/,
    ":80?tls-cert=a&tls-key=b&tls-min=1.1": /tls-min "1.1" is refused, expected 1.2 or 1.3/,
    ":80?tls-cert=/etc/tls/&tls-key=b": /tls-cert "\/etc\/tls\/" is a folder/,
    ":80?tls-cert=~/a&tls-key=b": /~ means nothing here/,
    ":80?proxy-protocol=v3": /proxy-protocol "v3" is refused, expected require, optional or off/,
  }; // prettier-ignore
  for (const [text, message] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(text)} and quotes it`, () => {
      assert.throws(
        () => parseEndpoint(text, CONTEXT),
        (thrown: Error & { code?: string }) => {
          assert.equal(thrown.code, "ERR_ENDPOINT");
          assert.match(thrown.message, message);
          assert.ok(
            thrown.message.startsWith(`Cannot use ${JSON.stringify(text)}: `),
            thrown.message,
          );
          assert.doesNotMatch(thrown.message, /\.$/);
          return true;
        },
      );
    });
  }

  it("takes a path of 107 bytes and refuses one of 108, counting bytes", () => {
    const longest = `/run/${"x".repeat(102)}`;
    assert.equal(formatAddress(parseEndpoint(longest, CONTEXT)), longest);
    const message = /the path is 108 bytes long: expected at most 107$/;
    assert.throws(() => parseEndpoint(`${longest}x`, CONTEXT), { message });
    assert.throws(() => parseEndpoint(`/run/${"é".repeat(51)}x`, CONTEXT), { message });
  });

  it("refuses a short name in a folder that leaves no room for the temporary one", () => {
    const folder = `/${"d".repeat(98)}`;
    assert.equal(
      formatAddress(parseEndpoint(`${folder.slice(1).replace("d", "/")}/a`, CONTEXT)).length,
      100,
    );
    assert.throws(() => parseEndpoint(`${folder}/a`, CONTEXT), {
      message: /its temporary name is 108 bytes long: expected at most 107$/,
    });
  });

  it("refuses an abstract name over 107 bytes", () => {
    assert.equal(parseEndpoint(`@${"n".repeat(107)}`, CONTEXT).kind, "abstract");
    assert.throws(() => parseEndpoint(`@${"n".repeat(108)}`, CONTEXT), { message: /108 bytes/ });
  });

  it("takes a working directory whose name would begin the options", () => {
    const context = { ...CONTEXT, cwd: "/what?" };
    assert.deepEqual(parseEndpoint("./a.sock", context), { ...UNIX, path: "/what?/a.sock" });
  });
});

describe("formatEndpoint", () => {
  for (const text of [
    "/run/app.sock?mode=0600&group=nginx&owner=1000&backlog=10&max-connections=7&name=web",
    "/run/app.sock?mode=0660&backlog=4096&max-connections=0&max-header-size=32Ki&max-headers=50&max-request-line=1Mi&max-body-size=1Gi&name=app",
    "@app?backlog=4096&max-connections=0&max-streams=10&keep-alive-timeout=1500ms&headers-timeout=0&request-timeout=2m&name=app",
    "/run/app.sock?mode=0007&backlog=4096&max-connections=0&name=app",
    "/run/a%3Fb%253Fc%d.sock?mode=0600&backlog=10&max-connections=7&name=web",
    "@app?backlog=4096&max-connections=0&name=app",
    "127.0.0.1:8000?backlog=4096&max-connections=0&name=app",
    "[::]:80?backlog=4096&max-connections=0&name=/x:[1]",
    "[::]:80?backlog=4096&max-connections=0&name=app&http=2",
    "/run/a.sock?mode=0660&backlog=4096&max-connections=0&name=app&tls-cert=/a%26%2526&tls-key=/b&tls-ca=/c&tls-client-auth=request&tls-min=1.2",
  ]) {
    it(`is the inverse of parseEndpoint for ${text}`, () => {
      const endpoints = parseAll([text]);
      assert.deepEqual(endpoints.map(formatEndpoint), [text]);
      assert.deepEqual(parseAll(endpoints.map(formatEndpoint)), endpoints);
    });
  }
});

describe("nameEndpoints", () => {
  it("calls the only endpoint app", () =>
    assert.deepEqual(
      parseAll([":80"]).map(({ name }) => name),
      ["app"],
    ));

  it("calls one of many by its address, unless it has a name", () => {
    const names = parseAll(["/run/a.sock", "@a", ":80", "127.0.0.1:80", "[::1]:80?name=v6"]).map(
      ({ name }) => name,
    );
    assert.deepEqual(names, ["/run/a.sock", "@a", "[::]:80", "127.0.0.1:80", "v6"]);
  });

  const refused: [string[], RegExp][] = [
    [["/run/a.sock", "/run/./a.sock?name=b"], /"\/run\/a\.sock": this endpoint is given twice/],
    [[":80", "[0:0::0]:80"], /"\[::\]:80": this endpoint is given twice/],
    [["localhost:80", "LOCALHOST:80"], /given twice/],
    [["@a", "@a"], /given twice/],
    [[":80?name=x", ":81?name=x"], /"x": two endpoints have this name/],
    [[":0", ":0"], /two endpoints have this name: give each its own with \?name=NAME/],
    [["/run/a b.sock", ":80"], /"\/run\/a b\.sock": this address makes no name: add \?name=NAME/],
  ];
  for (const [texts, message] of refused) {
    it(`refuses ${texts.join(" with ")}`, () => {
      assert.throws(() => parseAll(texts), { code: "ERR_ENDPOINT", message });
    });
  }

  it("takes port 0 more than once", () =>
    assert.equal(parseAll([":0?name=a", ":0?name=b"]).length, 2));
});

describe("refuseOpsConflict", () => {
  it("refuses the address of an app endpoint, port 0 excepted", () => {
    const message = /"127\.0\.0\.1:80": an app endpoint listens there/;
    assert.throws(
      () => refuseOpsConflict({ host: "127.0.0.1", port: 80 }, parseAll(["127.0.0.1:80"])),
      { message },
    );
    refuseOpsConflict({ host: "127.0.0.1", port: 0 }, parseAll(["127.0.0.1:0"]));
    refuseOpsConflict({ host: "127.0.0.1", port: 81 }, parseAll(["127.0.0.1:80"]));
  });
});
