//! The enums over all kinds of inputs, made from one list.

/// Makes [`InputKind`](super::InputKind), [`InputRequest`](super::InputRequest) and [`LockedInput`](super::LockedInput)
/// from the list of kinds: for each its variant, its `type` in manifest and lock, and its request. A kind that lacks an
/// implementation of one of the four traits does not compile.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($name:literal, $request:ty),)+) => {
        /// A kind of inputs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum InputKind {
            $($(#[$doc])* $kind,)+
        }

        /// A requested input.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type")]
        pub enum InputRequest {
            $($(#[$doc])* #[serde(rename = $name)] $kind($request),)+
        }

        /// A pinned input.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type")]
        pub enum LockedInput {
            $($(#[$doc])* #[serde(rename = $name)] $kind(Block<$request>),)+
        }

        impl InputKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Returns the `type` field.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// See [`Request::ALTERNATIVES`].
            #[must_use]
            pub fn alternatives(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => <$request as Request>::ALTERNATIVES,)+
                }
            }

            /// Reads the request in a table of the manifest.
            pub fn parse(
                self,
                source: &crate::fields::SourceText,
                fields: &crate::fields::Table,
            ) -> crate::error::Result<InputRequest> {
                match self {
                    $(Self::$kind => <$request as Request>::parse(source, fields).map(InputRequest::$kind),)+
                }
            }
        }

        impl InputRequest {
            /// Returns the kind.
            #[must_use]
            pub fn kind(&self) -> InputKind {
                match self {
                    $(Self::$kind(_) => InputKind::$kind,)+
                }
            }

            /// See [`Request::follows`].
            #[must_use]
            pub fn follows(&self) -> Option<&str> {
                match self {
                    $(Self::$kind(request) => request.follows(),)+
                }
            }

            /// See [`Request::asks`].
            pub fn asks(&self) -> crate::error::Result<Vec<String>> {
                match self {
                    $(Self::$kind(request) => request.asks(),)+
                }
            }

            /// See [`Request::unheld`].
            #[must_use]
            pub fn unheld(&self) -> Option<Self> {
                match self {
                    $(Self::$kind(request) => request.unheld().map(Self::$kind),)+
                }
            }

            /// Resolves the request today. A locked block of another kind is ignored.
            pub fn resolve(&self, locked: Option<&LockedInput>, question: Question) -> crate::error::Result<Answer> {
                match self {
                    $(Self::$kind(request) => {
                        let locked = if let Some(LockedInput::$kind(block)) = locked { Some(block) } else { None };
                        request.resolve(locked, question)
                    })+
                }
            }
        }

        impl LockedInput {
            /// Returns the kind.
            #[must_use]
            pub fn kind(&self) -> InputKind {
                match self {
                    $(Self::$kind(_) => InputKind::$kind,)+
                }
            }

            /// Returns the request of the pin.
            #[must_use]
            pub fn requested(&self) -> InputRequest {
                match self {
                    $(Self::$kind(block) => InputRequest::$kind(block.requested.clone()),)+
                }
            }

            /// Returns the digest in the block, and the one computed from it.
            pub fn entries(&self) -> crate::error::Result<(crate::digest::Sha256Digest, crate::digest::Sha256Digest)> {
                match self {
                    $(Self::$kind(block) => Ok((block.entry, block.digest()?)),)+
                }
            }
        }

        /// Access to every pinned input as a [`Supply`], of whichever kind.
        impl std::ops::Deref for LockedInput {
            type Target = dyn Supply;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$kind(block) => block,)+
                }
            }
        }

        $(
            impl OfKind for $request {
                const KIND: InputKind = InputKind::$kind;
            }

            impl From<Block<$request>> for LockedInput {
                fn from(block: Block<$request>) -> Self {
                    Self::$kind(block)
                }
            }
        )+
    };
}

pub(super) use kinds;
