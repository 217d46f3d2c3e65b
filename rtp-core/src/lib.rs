//! RTP packets, sequence arithmetic, statistics, telephone events, a jitter buffer, and the media workers
