"""Stand-ins for what AWS's credentials come from, and botocore's opinion of them.

The first line of standard output is the port of a server that plays IMDS, the container agent and STS, on both
loopback addresses.
Then each line of standard input, an environment as a JSON object, is answered by a line: the keys at
which botocore ends in it, or {"error": …}. What STS gives out depends on all that it was asked, so
equal keys mean equal questions.
"""

import calendar
import hashlib
import http.server
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.parse

import botocore.session

EXPIRATION = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))


def keys(*facts):
    text = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    return {"AccessKeyId": f"ASIA{text[:16].upper()}", "SecretAccessKey": text[16:40], "Token": text[40:]}


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, content_type="application/json"):
        body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        if self.path == "/latest/api/token" and self.headers.get("x-aws-ec2-metadata-token-ttl-seconds") == "21600":
            return self.answer(200, "imds-token", "text/plain")
        # the answer's hops are counted, and it does not come through
        if self.path.startswith("/slow"):
            time.sleep(60)
        # an instance without version 2
        self.answer(404 if self.path.startswith("/v1/") else 403, "")

    def do_GET(self):
        path = self.path
        roles = "/latest/meta-data/iam/security-credentials/"
        if path.startswith("/v1/"):
            path = path[3:]
        elif path.startswith("/slow/"):
            path = path[5:]
        elif path.startswith("/slow-v2/"):
            return self.answer(401, "")
        elif path.startswith("/latest/") and self.headers.get("x-aws-ec2-metadata-token") != "imds-token":
            return self.answer(401, "")
        if path == roles:
            return self.answer(200, "machine", "text/plain")
        if path == roles + "machine":
            return self.answer(200, {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": EXPIRATION,
                                     "Expiration": EXPIRATION, **keys("imds")})
        if path.startswith("/container"):
            authorization = self.headers.get("Authorization", "")
            if path.startswith("/container/closed") and authorization != "open sesame":
                return self.answer(401, {"message": "no"})
            return self.answer(200, {"Expiration": EXPIRATION, **keys("container", path, authorization)})
        self.answer(404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        action = form["Action"]
        stamp = self.headers.get("X-Amz-Date", "")
        if "skewed" in form["RoleArn"] and stamp and abs(
                calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.time()) > 900:
            return self.answer(403, "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>",
                               "text/xml")
        if "denied" in form["RoleArn"]:
            return self.answer(403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                                    "<Message>not you</Message></Error></ErrorResponse>", "text/xml")
        session = form.get("RoleSessionName", "")
        caller = re.search(r"Credential=([^/]+)/\d+/([^/]+)/sts", self.headers.get("Authorization", ""))
        given = keys(action, form["RoleArn"], form.get("ExternalId", ""), form.get("DurationSeconds", ""),
                     "" if re.match("bloblo-|botocore-session-", session) or action.endswith("Identity") and
                     re.fullmatch(r"[0-9.]+|bloblo-.*|botocore-.*", session) else session,
                     form.get("WebIdentityToken", ""), caller[1] if caller else "", caller[2] if caller else "",
                     self.headers.get("X-Amz-Security-Token", ""))
        self.answer(200, f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
            <AssumedRoleUser><Arn>{form["RoleArn"]}/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
            <Credentials><AccessKeyId>{given["AccessKeyId"]}</AccessKeyId>
            <SecretAccessKey>{given["SecretAccessKey"]}</SecretAccessKey><SessionToken>{given["Token"]}</SessionToken>
            <Expiration>{EXPIRATION}</Expiration></Credentials></{action}Result></{action}Response>""", "text/xml")


def botocores(environment):
    os.environ.clear()
    os.environ.update(environment)
    try:
        credentials = botocore.session.Session().get_credentials()
        if credentials is None:
            return {"error": "none"}
        frozen = credentials.get_frozen_credentials()
        return {"id": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
for each in (server, Server6(("::1", server.server_port), Server)):
    threading.Thread(target=each.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for line in sys.stdin:
    print(json.dumps(botocores(json.loads(line))), flush=True)
