/* The answer of both responders: a redirect as long as a presigned URL makes it. */
static const char ANSWER[] =
    "Status: 307 Temporary Redirect\r\n"
    "Location: https://bucket.s3.example.com/docker/registry/v2/blobs/sha256/01/"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/data"
    "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20240101"
    "%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20240101T000000Z&X-Amz-Expires="
    "1200&X-Amz-SignedHeaders=host&X-Amz-Signature=0123456789abcdef0123456789ab"
    "cdef0123456789abcdef0123456789abcdef\r\n"
    "Content-Length: 0\r\n\r\n";
