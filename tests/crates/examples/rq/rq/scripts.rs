//! The scripts, which Redis runs in one step each. All begin with `scripts/common.lua`.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(include_str!("scripts/common.lua"), include_str!($name)))
        })
    };
}

pub static ENQUEUE: LazyLock<Script> = script!("scripts/enqueue.lua");
pub static TAKE: LazyLock<Script> = script!("scripts/take.lua");
pub static FINISH: LazyLock<Script> = script!("scripts/finish.lua");
pub static FAIL: LazyLock<Script> = script!("scripts/fail.lua");
pub static GIVE_BACK: LazyLock<Script> = script!("scripts/give_back.lua");
pub static BEAT: LazyLock<Script> = script!("scripts/beat.lua");
pub static UPKEEP: LazyLock<Script> = script!("scripts/upkeep.lua");
pub static RECLAIM: LazyLock<Script> = script!("scripts/reclaim.lua");
