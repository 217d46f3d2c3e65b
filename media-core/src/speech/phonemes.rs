//! What each sound is made of: targets for the formants, and how much voice, breath and hiss.

/// A stretch of sound with one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// First to third formant of an adult's lower voice, in Hz; zeros for "as the sound that follows".
    pub formants: [f64; 3],
    /// Amplitude of the voice, of the breath through the whole mouth, and of the hiss at a narrow place; 0 to 1.
    pub voice: f64,
    pub breath: f64,
    pub hiss: f64,
    /// Where the hiss is, and how wide, in Hz.
    pub hiss_at: [f64; 2],
    /// Length in milliseconds at normal pace.
    pub ms: f64,
    /// Whether stress makes it longer.
    pub stretches: bool,
}

impl Segment {
    pub(super) const SILENCE: Self = Self::new([0.0; 3], 0.0, 0.0);

    const fn new(formants: [f64; 3], voice: f64, ms: f64) -> Self {
        Self { formants, voice, breath: 0.0, hiss: 0.0, hiss_at: [3_500.0, 2_000.0], ms, stretches: false }
    }

    const fn vowel(f1: f64, f2: f64, f3: f64, ms: f64) -> [Self; 1] {
        [Self { stretches: true, ..Self::new([f1, f2, f3], 1.0, ms) }]
    }

    const fn breath(mut self, breath: f64) -> Self {
        self.breath = breath;
        self
    }

    const fn hiss(mut self, hiss: f64, centre: f64, width: f64) -> Self {
        self.hiss = hiss;
        self.hiss_at = [centre, width];
        self
    }

    pub(super) const fn lasting(mut self, ms: f64) -> Self {
        self.ms = ms;
        self
    }
}

const fn sound(f1: f64, f2: f64, f3: f64, voice: f64, ms: f64) -> Segment {
    Segment::new([f1, f2, f3], voice, ms)
}

/// The segments of a sound; none for a symbol that is not in the table. Formants follow the figures of Peterson and
/// Barney (1952) and Klatt (1980), with the fronted /u/ and the plain /e/ and /o/ of Scotland.
pub(super) fn segments(symbol: &str) -> &'static [Segment] {
    match symbol {
        "i" => const { &Segment::vowel(290.0, 2_200.0, 2_950.0, 95.0) },
        "I" => const { &Segment::vowel(400.0, 1_850.0, 2_550.0, 75.0) },
        "e" => const { &Segment::vowel(430.0, 2_020.0, 2_600.0, 100.0) },
        "a" => const { &Segment::vowel(720.0, 1_400.0, 2_450.0, 105.0) },
        "V" => const { &Segment::vowel(630.0, 1_200.0, 2_500.0, 100.0) },
        "@" => const { &Segment::vowel(500.0, 1_450.0, 2_450.0, 65.0) },
        "o" => const { &Segment::vowel(450.0, 850.0, 2_400.0, 110.0) },
        "u" => const { &Segment::vowel(330.0, 1_450.0, 2_250.0, 85.0) },
        "l" => const { &[sound(350.0, 1_050.0, 2_750.0, 0.65, 70.0)] },
        "r" => const { &[sound(370.0, 1_280.0, 1_650.0, 0.65, 80.0)] },
        "j" => const { &[sound(270.0, 2_150.0, 2_950.0, 0.65, 65.0)] },
        "m" => const { &[sound(260.0, 1_050.0, 2_200.0, 0.38, 75.0)] },
        "n" => const { &[sound(260.0, 1_550.0, 2_550.0, 0.38, 70.0)] },
        "h" => const { &[Segment::new([0.0; 3], 0.05, 75.0).breath(0.30)] },
        "D" => const { &[sound(300.0, 1_350.0, 2_550.0, 0.40, 55.0).hiss(0.03, 3_300.0, 1_800.0)] },
        "s" => const { &[sound(320.0, 1_550.0, 2_550.0, 0.0, 110.0).hiss(0.30, 4_200.0, 1_500.0)] },
        "z" => const { &[sound(300.0, 1_550.0, 2_550.0, 0.35, 75.0).hiss(0.14, 4_200.0, 1_500.0)] },
        // Stops: closed, the burst, and for the breathed one the breath before the voice sets in.
        "b" => {
            const {
                &[
                    sound(220.0, 850.0, 2_100.0, 0.12, 65.0),
                    sound(300.0, 900.0, 2_150.0, 0.3, 9.0).hiss(0.25, 800.0, 900.0),
                ]
            }
        }
        "d" => {
            const {
                &[
                    sound(220.0, 1_700.0, 2_600.0, 0.12, 50.0),
                    sound(300.0, 1_700.0, 2_600.0, 0.3, 10.0).hiss(0.28, 3_300.0, 1_500.0),
                ]
            }
        }
        "k" => {
            const {
                &[
                    sound(280.0, 1_750.0, 2_150.0, 0.0, 60.0),
                    sound(300.0, 1_750.0, 2_150.0, 0.0, 14.0).hiss(0.55, 1_900.0, 700.0),
                    sound(400.0, 1_700.0, 2_250.0, 0.0, 38.0).breath(0.30),
                ]
            }
        }
        "," => const { &[Segment::SILENCE.lasting(230.0)] },
        _ => &[],
    }
}
