//! W15 to W21 and UWO-D4, between programs.

use super::*;

#[test]
fn are_the_answers_those_of_the_assignment() {
    let mut stage = Stage::new();
    let bob = stage.follows("bob", "apple,news");
    let mut asks = |line: &str| {
        stage.sends(bob, format!("@bob: {line}\n"));
        stage.got(bob)
    };
    assert_eq!(asks("!follow?"), "apple, news, @bob, @all\n");
    assert_eq!(asks("!follow @alice"), "Now following @alice\n");
    assert_eq!(asks("!follow @alice"), "Error:  Was already following @alice\n");
    assert_eq!(asks("!follow?"), "apple, news, @bob, @all, @alice\n");
    assert_eq!(asks("!unfollow @alice"), "No longer following @alice\n");
    assert_eq!(asks("!unfollow x"), "Error:  Was not following x\n");
    assert_eq!(asks("!unfollow @all"), "Error:  All users must follow @all\n");
    assert_eq!(asks("!unfollow @bob"), "Error:  Cannot unfollow yourself\n");
    assert_eq!(asks("!follow"), "Error:  Unknown command\n");
    assert_eq!(asks("!follow two words"), "Error:  Unknown command\n");
}

#[test]
fn who_gets_what_w15_w16_w17() {
    let mut stage = Stage::new();
    let alice = stage.joins("alice");
    let [apple, fan, none] = [("apple", "apple"), ("fan", "@alice"), ("none", "")].map(|(name, terms)| {
        stage.joins_with(&match terms {
            "" => format!("REGISTER {name} CHAT/1.0\n\n"),
            terms => format!("REGISTER {name} CHAT/1.0\nFollow: {terms}\n\n"),
        })
    });
    let mut says = |text: &str| {
        stage.sends(alice, format!("@alice: {text}\n"));
        [apple, fan, none].map(|conn| !stage.got(conn).is_empty())
    };
    assert_eq!(says("an apple?"), [true, true, false]);
    assert_eq!(says("a pineapple"), [false, true, false]);
    assert_eq!(says("@none: hello"), [false, true, true]);
    assert_eq!(says("lunch, @all!"), [true, true, true]);
    assert_eq!(says("!list"), [false; 3]);
}

#[test]
fn is_a_line_delivered_once_however_many_terms_match() {
    let mut stage = Stage::new();
    let (alice, bob) = (stage.joins("alice"), stage.follows("bob", "a,b,@alice"));
    stage.sends(alice, "@alice: a b a @bob @all\n");
    assert_eq!(stage.writes(bob), ["@alice: a b a @bob @all\n"]);
}

#[test]
fn who_is_filtered_under_which_delivery_d4() {
    for (delivery, expected) in [
        (Delivery::Auto, [true, false, false]),
        (Delivery::Broadcast, [true, true, true]),
        (Delivery::Follow, [false, false, false]),
    ] {
        let mut stage = Stage::delivering(delivery);
        let alice = stage.joins("alice");
        let (first, header, later) = (stage.joins("a2"), stage.follows("a3", "x"), stage.joins("later"));
        stage.sends(later, "@later: !unfollow x\n");
        for conn in [first, header, later] {
            stage.got(conn);
        }
        stage.sends(alice, "@alice: hello\n");
        let got = [first, header, later].map(|conn| !stage.got(conn).is_empty());
        assert_eq!(got, expected, "{delivery:?}");
    }
}

#[test]
fn does_nobody_get_their_own_line() {
    for delivery in [Delivery::Auto, Delivery::Broadcast, Delivery::Follow] {
        let mut stage = Stage::delivering(delivery);
        let bob = stage.follows("bob", "hi");
        stage.sends(bob, "@bob: hi @bob @all\n");
        assert_eq!(stage.got(bob), "");
    }
}
