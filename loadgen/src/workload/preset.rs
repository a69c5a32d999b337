//! Named workloads, so that two people who say `etc` measure the same thing.

use super::WorkloadSpec;
use clap::ValueEnum;

/// A named workload; options given beside it override its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Facebook's ETC pool (Atikoglu et al., SIGMETRICS 2012): mostly small values with a heavy tail, 30 gets to a set.
    Etc,
    /// Small values, read mostly: 90% get, 10% set of 32 bytes.
    Small,
    /// Sessions: 1-4 KiB values that live half an hour, read, rewritten and touched.
    Session,
    /// Page building: multi-gets of 50 keys.
    Multiget,
    /// Half of the requests write.
    WriteHeavy,
    /// YCSB A: half reads, half updates, 1 KiB, zipf 0.99.
    YcsbA,
    /// YCSB B: 95% reads, 5% updates.
    YcsbB,
    /// YCSB C: reads only.
    YcsbC,
    /// YCSB D: 95% reads of recent keys, 5% inserts (recency stands as a strong hotspot).
    YcsbD,
    /// YCSB E: scans, which a cache has as multi-gets of 50 keys in sequence, and 5% inserts.
    YcsbE,
    /// YCSB F: half reads, half read-modify-writes (cas).
    YcsbF,
}

/// The fields of a preset: mix, value sizes, key distribution, TTLs, keys, key bytes.
struct Recipe {
    mix: &'static str,
    value_size: &'static str,
    key_distribution: &'static str,
    ttl: &'static str,
    key_bytes: usize,
}

impl Preset {
    fn recipe(self) -> Recipe {
        let ycsb = |mix, key_distribution| Recipe {
            mix,
            value_size: "1024",
            key_distribution,
            ttl: "0",
            key_bytes: 24,
        };
        match self {
            Self::Etc => Recipe {
                mix: "get=967,set=32,delete=1",
                // 2, 3 and 11 bytes are common in ETC; above, a generalised Pareto whose body the list follows.
                value_size: "2=8,3=7,11=8,45=10,100=12,214=20,300=15,450=10,700=6,1100=3,4096=0.8,16384=0.15,65536=0.05",
                key_distribution: "zipf:1.0",
                ttl: "0",
                key_bytes: 31,
            },
            Self::Small => Recipe {
                mix: "get=90,set=10",
                value_size: "32",
                key_distribution: "zipf:0.99",
                ttl: "0",
                key_bytes: 24,
            },
            Self::Session => Recipe {
                mix: "get=70,set=20,touch=8,delete=2",
                value_size: "1024-4096",
                key_distribution: "zipf:0.8",
                ttl: "25m-35m",
                key_bytes: 40,
            },
            Self::Multiget => Recipe {
                mix: "multiget:50=95,set=5",
                value_size: "100",
                key_distribution: "zipf:0.99",
                ttl: "0",
                key_bytes: 24,
            },
            Self::WriteHeavy => Recipe {
                mix: "get=50,set=45,delete=5",
                value_size: "lognormal:200:1:16384",
                key_distribution: "zipf:0.99",
                ttl: "0",
                key_bytes: 24,
            },
            Self::YcsbA => ycsb("get=50,set=50", "zipf:0.99"),
            Self::YcsbB => ycsb("get=95,set=5", "zipf:0.99"),
            Self::YcsbC => ycsb("get=100", "zipf:0.99"),
            Self::YcsbD => ycsb("get=95,add=5", "hotspot:5%:80%"),
            Self::YcsbE => ycsb("multiget:50=95,add=5", "sequential"),
            Self::YcsbF => ycsb("get=50,cas=50", "zipf:0.99"),
        }
    }

    /// The workload of this preset.
    pub fn spec(self) -> Result<WorkloadSpec, String> {
        let recipe = self.recipe();
        Ok(WorkloadSpec {
            mix: recipe.mix.parse()?,
            value_size: recipe.value_size.parse()?,
            key_distribution: recipe.key_distribution.parse()?,
            ttl: recipe.ttl.parse()?,
            key_bytes: recipe.key_bytes,
            ..WorkloadSpec::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_valid_workload() {
        for preset in Preset::value_variants() {
            preset.spec().unwrap();
        }
    }
}
