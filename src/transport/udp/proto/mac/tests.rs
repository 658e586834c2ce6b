use std::hash::Hasher as _;

use proptest::prelude::*;

use super::*;

const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn input(len: u8) -> Vec<u8> {
    (0..len).collect()
}

#[test]
fn short_hash_of_the_papers_appendix() {
    assert_eq!(sip_short(SipKey::new(KEY), &input(15)), 0xa129_ca61_49be_45e5);
}

#[test]
fn long_hashes_of_the_reference_code() {
    let vectors = [
        (0, 0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293_u128),
        (1, 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45),
        (15, 0x5493_e999_33b0_a811_7e08_ec0f_97cf_c3d9),
    ];
    for (len, expected) in vectors {
        let hash = sip_long(SipKey::new(KEY), &input(len));
        assert_eq!(u128::from_be_bytes(hash), expected, "{len} bytes");
    }
}

#[test]
fn hmac_of_rfc_4231_case_2_is_cut() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
    let code = hmac_short(&key, &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(u128::from_be_bytes(code), 0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7);
}

#[test]
fn one_bit_makes_codes_unequal() {
    let code = sip_long(SipKey::new(KEY), b"");
    assert!(equal(&code, &code.clone()));
    for bit in 0..128 {
        let mut other = code;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!equal(&code, &other), "bit {bit}");
    }
}

proptest! {
    #[test]
    #[allow(deprecated, reason = "the only SipHash-2-4 of the standard library to compare with")]
    fn short_hash_is_the_standard_librarys(k0: u64, k1: u64, bytes: Vec<u8>) {
        let mut oracle = std::hash::SipHasher::new_with_keys(k0, k1);
        oracle.write(&bytes);
        prop_assert_eq!(sip_short(SipKey(k0, k1), &bytes), oracle.finish());
    }

    #[test]
    fn padded_parts_are_the_hash_of_the_padded_bytes(k0: u64, k1: u64, word: u64, mut bytes: Vec<u8>) {
        let mut hash = SipHash::long(SipKey(k0, k1));
        hash.word(word);
        hash.padded(&bytes);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let whole = [&word.to_le_bytes()[..], &bytes].concat();
        prop_assert_eq!(hash.finish_long(&[]), sip_long(SipKey(k0, k1), &whole));
    }
}
