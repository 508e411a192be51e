//! Resolves a `directory` request: reads the directory.

use super::supply::{found, take_in};
use super::{DirectoryPin, DirectoryRequest};
use crate::error::{About as _, Result};
use crate::inputs::{Answer, Block, Preview, Question, Resolution, Resolve, Taken, TreePin};
use crate::intake::Intake;
use crate::text;
use crate::tree::scan::scan;

impl Resolve for DirectoryRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let directory = found(question.directory, &self.path).about(question.name)?;
        let digest = scan(&directory).about(question.name)?.digest();
        if let Some(block) = locked.filter(|block| block.locked.content.digest == digest) {
            let same = Block::new(self.clone(), block.locked.clone())?;
            return Ok((Resolution::same(same), Vec::new()));
        }
        let (name, request) = (question.name.to_owned(), self.clone());
        let take_in = move |intake: Intake| {
            let (tree, listing) = take_in(intake.store, &directory, None).about(&name)?;
            let pin = DirectoryPin { content: TreePin::of(&tree, &listing)? };
            let held = format!("{} in {} entries", text::bytes(pin.content.size), pin.content.entries);
            let details = vec![format!("content  {held}"), format!("tree     {}", pin.content.digest)];
            Ok(Taken { block: Block::new(request, pin)?.into(), details, warnings: Vec::new() })
        };
        let (to, preview) = (self.path.clone(), Preview::default());
        Ok((Resolution::New { to, details: Vec::new(), preview, take_in: Box::new(take_in) }, Vec::new()))
    }
}
