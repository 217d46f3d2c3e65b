//! Codecs, tones, DTMF, playing, recording and comparing sound, and the legs that do it on a media worker
