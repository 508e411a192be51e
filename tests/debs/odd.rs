//! Archives with packages that no rule allows.

use strixlock_demo::debs::Package;

use super::{manifest, with_archive};

#[test]
fn an_odd_neighbour_is_told_and_spoils_nothing() {
    let (project, mut archive) = with_archive();
    archive.packages.push(Package::new("Foo", "1.0", &[]));
    archive.packages.push(Package::new("bar", "1.0 beta", &[]));
    archive.packages.push(Package::new("wants-bar", "1.0", &["Depends: libc6, bar"]));
    archive.serve(project.upstream().server(), "/debian").unwrap();
    manifest(&project, &["hello"], "");
    let ran = project.run(&["update"]).code(0);
    insta::assert_snapshot!(ran.stderr, @"warning: sysroot: 2 odd packages in main/binary-amd64/Packages.xz of demo (`foo`: its `Package` is `Foo`; `bar`: its `Version` is `1.0 beta`)");
    assert_eq!(project.run(&["update"]).code(0).stdout, "lock/strix.lock is up to date\n");
    manifest(&project, &["wants-bar"], "");
    insta::assert_snapshot!(project.run(&["update"]).code(3).stderr, @r"
    error: sysroot: the archive's package `bar` cannot be used
      version  1.0 beta
      fault    its `Version` is `1.0 beta`
      since    wants-bar 1.0 depends on bar
    hint: the archive has to fix its package list; or name another package, version or archive in its place
    ");
}
