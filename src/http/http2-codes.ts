/** Codes of HTTP/2 that streams and sessions end with (RFC 9113, section 7); to import Node's would load all of `node:http2`. */
export const NO_ERROR = 0x0;
export const INTERNAL_ERROR = 0x2;
export const CANCEL = 0x8;
export const ENHANCE_YOUR_CALM = 0xb;

/** Flag of a frame that is the last of its stream (RFC 9113, section 6.2). */
export const END_STREAM = 0x1;
